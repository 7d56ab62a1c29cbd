import asyncio
import socket
from http import HTTPStatus

from streams.worker.health import PATIENCE_S, Health, serve

LATER = PATIENCE_S + 1


def test_a_partition_with_frames_of_which_none_is_applied_is_a_problem() -> None:
    health = Health()
    health.observe(0.0, {0: 5, 1: 5}, {0: 10, 1: 20})
    health.observe(LATER, {0: 5, 1: 5}, {0: 10, 1: 21})
    assert health.problems(LATER) == ["partition 0: frame 10 is there and is not applied, for 31 s"]


def test_growing_lag_is_no_problem_while_frames_are_applied_nor_is_silence_without_lag() -> None:
    health = Health()
    for step in range(10):
        health.observe(step * LATER, {0: step * 100, 1: 0}, {0: step, 1: 7})
    assert health.problems(9 * LATER) == []


def test_a_lane_that_does_not_open_is_a_problem_and_one_that_has_gone_is_not() -> None:
    health = Health()
    health.observe(0.0, {0: None}, {})
    health.observe(LATER, {0: None}, {})
    assert health.problems(LATER) == ["partition 0: its lane is not open, for 31 s"]
    health.observe(LATER, {}, {})
    assert health.problems(2 * LATER) == []


async def ask(port: int, request: str) -> tuple[str, str]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"{request} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
    head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
    writer.close()
    return head.splitlines()[0], body


async def test_paths_are_answered_with_json() -> None:
    answers = {
        "/healthz": lambda: (HTTPStatus.SERVICE_UNAVAILABLE, {"problems": ["x"]}),
        "/stats": lambda: (HTTPStatus.OK, {"lanes": {0: 1}}),
    }
    server = await serve(0, answers)
    port = next(each.getsockname()[1] for each in server.sockets if each.family == socket.AF_INET)
    assert await ask(port, "GET /healthz") == ("HTTP/1.1 503 Service Unavailable", '{"problems":["x"]}')
    assert await ask(port, "GET /stats?x=1") == ("HTTP/1.1 200 OK", '{"lanes":{"0":1}}')
    assert (await ask(port, "GET /other"))[0] == "HTTP/1.1 404 Not Found"
    assert (await ask(port, "POST /stats"))[0] == "HTTP/1.1 405 Method Not Allowed"
    server.close()
    await server.wait_closed()
