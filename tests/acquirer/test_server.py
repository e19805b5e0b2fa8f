"""The acquirer on a real TCP port: any cut of the stream, every way an answer can go wrong."""

import asyncio
import ssl
import subprocess
import sys

import pytest

from posd.acquirer import Order
from posd.acquirer.outcomes import named
from posd.acquirer.server import AcquirerServer
from protocol import FrameReader, Message, decode


def serve(acquirer, story, **options):
    """Run a story against a listening server; the story gets its port and the traffic seen."""

    async def run():
        traffic = []
        server = AcquirerServer(
            acquirer, on_traffic=lambda *entry: traffic.append(entry), **options
        )
        port = await server.start()
        try:
            return await asyncio.wait_for(story(port, traffic), timeout=60)
        finally:
            await server.close()

    return asyncio.run(run())


async def read_frame(reader):
    head = await reader.readexactly(2)
    return head + await reader.readexactly(int.from_bytes(head, "big"))


async def close(writer):
    writer.close()
    await writer.wait_closed()


def test_a_sale_over_tcp_is_approved_and_seen_in_the_traffic(terminal):
    sale = terminal.frame(terminal.sale(12345))

    async def story(port, traffic):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sale)
        answer = await read_frame(reader)
        await close(writer)
        assert traffic == [("received", sale), ("sent", answer)]
        return decode(answer)

    assert serve(terminal.acquirer, story).get(39) == "00"


def test_a_request_may_be_cut_at_every_byte(terminal):
    longest = len(terminal.frame(terminal.sale(500)))

    async def story(port, traffic):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for cut in range(1, longest):
            sale = terminal.frame(terminal.sale(500))
            writer.write(sale[:cut])
            await writer.drain()
            await asyncio.sleep(0.001)
            writer.write(sale[cut:])
            assert decode(await read_frame(reader)).get(39) == "00"
        await close(writer)

    serve(terminal.acquirer, story)
    assert terminal.net() == 500 * (longest - 1)


def test_several_requests_in_one_piece_are_answered_one_after_the_other(terminal):
    sales = [terminal.sale(500) for _ in range(5)]

    async def story(port, traffic):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"".join(terminal.frame(sale) for sale in sales))
        stans = [decode(await read_frame(reader)).get(11) for _ in sales]
        await close(writer)
        return stans

    assert serve(terminal.acquirer, story) == [sale.get(11) for sale in sales]


def everything_received(acquirer, frame):
    """All bytes that come back on a connection until the acquirer closes it or is silent."""

    async def story(port, traffic):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(frame)
        received, ended = b"", False
        try:
            while True:
                data = await asyncio.wait_for(reader.read(4096), 0.3)
                ended = not data
                if ended:
                    break
                received += data
        except TimeoutError:
            pass
        await close(writer)
        return received, ended

    return serve(acquirer, story)


def test_no_answer_leaves_the_connection_open_and_silent(terminal):
    assert everything_received(terminal.acquirer, terminal.frame(terminal.sale(68))) == (b"", False)


def test_a_closed_connection_brings_nothing(terminal):
    assert everything_received(terminal.acquirer, terminal.frame(terminal.sale(97))) == (b"", True)


def test_an_answer_cut_in_the_middle_ends_the_connection(terminal):
    received, ended = everything_received(terminal.acquirer, terminal.frame(terminal.sale(96)))
    assert ended
    assert 2 < len(received) < int.from_bytes(received[:2], "big")
    assert FrameReader().feed(received) == []


def test_what_follows_on_a_connection_that_was_cut_is_not_received(terminal):
    both = terminal.frame(terminal.sale(96)) + terminal.frame(terminal.sale(500))
    assert everything_received(terminal.acquirer, both)[1]
    assert terminal.net() == 96


def test_an_answer_twice_comes_twice(terminal):
    received, _ = everything_received(terminal.acquirer, terminal.frame(terminal.sale(88)))
    first, second = FrameReader().feed(received)
    assert first == second


def test_a_length_above_the_cap_ends_the_connection(terminal):
    assert everything_received(terminal.acquirer, b"\xff\xffabc") == (b"", True)


def test_garbage_that_is_a_frame_is_survived(terminal):
    sale = terminal.frame(terminal.sale(500))
    received, _ = everything_received(terminal.acquirer, b"\x00\x05\xff\xff\xff\xff\xff" + sale)
    assert decode(received).get(39) == "00"


def test_a_delayed_answer_comes_when_it_is_due_and_others_do_not_wait_for_it(
    make_acquirer, terminal_at
):
    from posd.acquirer import Options

    terminal = terminal_at(make_acquirer(options=Options(slow=0.3)))
    slow, quick = terminal.sale(78), terminal.sale(500)

    async def story(port, traffic):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        began = asyncio.get_running_loop().time()
        writer.write(terminal.frame(slow) + terminal.frame(quick))
        stans = [decode(await read_frame(reader)).get(11) for _ in range(2)]
        await close(writer)
        return stans, asyncio.get_running_loop().time() - began

    stans, seconds = serve(terminal.acquirer, story)
    assert stans == [quick.get(11), slow.get(11)]
    assert seconds >= 0.3


def test_an_answer_that_is_due_after_the_connection_ended_is_never_sent(make_acquirer, terminal_at):
    from posd.acquirer import Options

    terminal = terminal_at(make_acquirer(options=Options(late=0.1)))

    async def story(port, traffic):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(terminal.frame(terminal.sale(86)))
        await asyncio.sleep(0.03)
        await close(writer)
        await asyncio.sleep(0.2)
        return [direction for direction, _ in traffic]

    assert serve(terminal.acquirer, story) == ["received"]


def test_terminals_on_several_connections_are_served_at_once(terminal):
    async def one(port, sale):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(terminal.frame(sale))
        answer = decode(await read_frame(reader))
        await close(writer)
        return answer.get(39)

    async def story(port, traffic):
        return await asyncio.gather(*(one(port, terminal.sale(500)) for _ in range(20)))

    assert serve(terminal.acquirer, story) == ["00"] * 20
    assert terminal.net() == 10000


def test_an_order_is_carried_out_over_tcp(terminal):
    terminal.acquirer.order(Order("sale", named("foreign-first")))
    received, _ = everything_received(terminal.acquirer, terminal.frame(terminal.sale(500)))
    foreign, own = (decode(frame).get(11) for frame in FrameReader().feed(received))
    assert foreign != own


def test_a_fault_inside_the_acquirer_ends_the_connection_and_is_told_at_the_close(terminal):
    def fail(number):
        raise ZeroDivisionError

    terminal.acquirer.after_commit = fail
    with pytest.raises(ZeroDivisionError):
        everything_received(terminal.acquirer, terminal.frame(terminal.sale(500)))


def test_closing_the_server_ends_connections_that_wait(terminal):
    async def run():
        server = AcquirerServer(terminal.acquirer)
        port = await server.start()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(terminal.frame(terminal.sale(86)))
        await asyncio.sleep(0.05)
        await server.close()
        assert await reader.read() == b""
        await close(writer)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)

    asyncio.run(run())


@pytest.fixture
def certificate(tmp_path):
    """A certificate for localhost and its key, made for this test, in one PEM file."""
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    today = datetime.now(UTC)  # noqa: TID251  (TLS asks the machine's clock)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "acquirer.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


def test_the_same_over_tls(terminal, certificate):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)

    async def story(port, traffic):
        trusting = ssl.create_default_context(cafile=certificate)
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=trusting, server_hostname="localhost"
        )
        writer.write(terminal.frame(terminal.sale(500)))
        answer = decode(await read_frame(reader))
        await close(writer)
        return answer.get(39)

    assert serve(terminal.acquirer, story, tls=context) == "00"


# From the command line


@pytest.fixture
def master_key_file(tmp_path):
    path = tmp_path / "master.hex"
    path.write_text("0123456789ABCDEFFEDCBA9876543210\n")
    return path


def command(*arguments):
    return [sys.executable, "-m", "posd.acquirer", *map(str, arguments)]


def test_from_the_command_line_it_serves_and_prints_masked(terminal, master_key_file, tmp_path):
    ledger = tmp_path / "acquirer.db"
    process = subprocess.Popen(
        command("--ledger", ledger, "--master-key-file", master_key_file),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        port = int(process.stdout.readline().rpartition(":")[2])

        async def story():
            reader, writer = await asyncio.open_connection("127.0.0.1", port)

            async def ask(message: Message) -> Message:
                writer.write(terminal.frame(message))
                return decode(await read_frame(reader))

            signed_in = await ask(terminal.management("sign_in", "003", e63="01 "))
            terminal.learn(signed_in)
            answer = await ask(terminal.sale(12345))
            await close(writer)
            return answer.get(39)

        assert asyncio.run(story()) == "00"
    finally:
        process.terminate()
        printed, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "622500******0014" in printed
    assert "6225000000000014" not in printed
    assert "6225000000000014" not in ledger.read_bytes().decode("latin-1")


@pytest.mark.parametrize("content", [None, "not a key", "0123"])
def test_a_key_file_that_is_none_is_one_line_and_exit_code_2(tmp_path, content):
    path = tmp_path / "master.hex"
    if content is not None:
        path.write_text(content)
    ran = subprocess.run(
        command("--master-key-file", path), capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 2
    assert ran.stderr.startswith(str(path))
    assert ran.stderr.count("\n") == 1
