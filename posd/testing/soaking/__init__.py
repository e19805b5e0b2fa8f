"""Parts of the soak: a shop, its troubles, its clerk, and what must be so after every rest."""
