"""A log server that is away, slow, forgetful or picky: nothing is lost, nothing is there twice, nothing is blocked."""

import psutil

from torture.harness import Following, Writer, all_came, source, until


def test_lines_wait_for_a_server_that_is_down_at_the_start(sink, writer, follow):
    sink.stop()
    with follow() as following:
        writer.write(300)
        until(lambda: "kept in the spool" in following.said())
        sink.again()
        all_came(sink, writer)
        until(lambda: "takes batches again" in following.said())


def test_a_file_deleted_while_the_server_is_away_is_still_shipped_even_after_a_kill(sink, writer, follow):
    following = follow()
    with following:
        writer.write(10)
        sink.wait_for(10)
        sink.stop()
        writer.write(300)
        last = writer.written[-1].encode()  # a spooled batch holds the lines as they are
        until(lambda: any(last in body for body in following.spooled()))
        writer.path.unlink()
        following.kill()
        sink.again()
        following.start()
        all_came(sink, writer)


def test_an_answer_lost_after_the_server_stored_does_not_make_a_line_twice(sink, writer, follow):
    sink.fail_after_commit = 3
    with follow():
        writer.write(300)
        all_came(sink, writer)
        until(lambda: sink.fail_after_commit == 0)
        assert sink.repeated > 0


def test_a_slow_server_gets_bigger_batches(sink, writer, follow):
    sink.delay = 0.3
    with follow():
        for _ in range(50):
            writer.write(100)
        all_came(sink, writer)
        assert sink.requests < 30


def test_passing_failures_are_tried_again(sink, writer, follow):
    sink.answer_with = [500, 503, 429, 404, 403, 502]
    with follow():
        writer.write(100)
        all_came(sink, writer)


def test_a_batch_that_can_never_be_taken_is_put_aside_and_blocks_nobody(tmp_path, sink, logs):
    good, poison = Writer(logs / "app.log"), Writer(logs / "poison.txt", "poison")
    sink.refuse_source = "poison"
    with Following(tmp_path, sink, [source(logs), source(logs, "*.txt", "poison")]) as following:
        poison.write(10)
        good.write(100)
        all_came(sink, good)
        dead = following.var / "tailflog" / "dead"
        until(lambda: "refuses a batch for good" in following.said())  # said once it lies there
        assert "Source 'poison' is refused" in next(dead.glob("*.reason")).read_text()
        good.write(10)
        all_came(sink, good)


def test_a_body_too_large_is_sent_in_halves(sink, writer, follow):
    writer.write(5000)
    sink.most_bytes = 20_000
    with follow():
        all_came(sink, writer)


def test_a_full_spool_pauses_reading_with_flat_memory_and_loses_nothing(tmp_path, sink, logs, writer):
    sink.stop()
    with Following(tmp_path, sink, [source(logs)], NODEWARD_TAILFLOG_SPOOL_BYTES=str(1024**2)) as following:
        for _ in range(40):
            writer.write(1000, "x" * 60)
        until(lambda: "Reading pauses, nothing is lost" in following.said())
        spool = following.var / "tailflog" / "spool"
        assert sum(one.stat().st_size for one in spool.glob("*.seg")) < 4 * 1024**2
        assert psutil.Process(following.pid).memory_info().rss < 150 * 1024**2
        sink.again()
        all_came(sink, writer)
