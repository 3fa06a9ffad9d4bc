"""What Java's and Python's loggers write: a time, then level, thread, logger and process in some order, then the message.

2015-10-18 18:01:47,978 INFO [main] org.apache.hadoop.MRAppMaster: Created MRAppMaster        (Hadoop)
2015-07-29 17:41:44,747 - INFO  [QuorumPeer:FastLeaderElection@774] - Notification time out   (ZooKeeper)
17/06/09 20:10:40 INFO executor.Backend: Registered signal handlers                           (Spark)
081109 203615 148 INFO dfs.DataNode: PacketResponder 1 terminating                            (HDFS)
nova.log 2017-05-16 00:00:00.008 25746 INFO nova.wsgi [req-38] 10.11.10.1 "GET /"             (OpenStack)
2026-11-23 09:05:00.123  INFO 412 --- [  main] c.e.App : started                              (Spring)
[2026-11-23 09:05:00,123] INFO started (kafka.server.KafkaServer)                             (Kafka)
"""

import re

from nodeward.core import severity
from nodeward.core.batch import NO_PID
from nodeward.tailflog.formats.base import Extra, Known, Parse, Row, Unfit, number, text
from nodeward.tailflog.formats.times import Times

_ISO = re.compile(rb"\[?(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?)\]? ")
_PREFIXED = re.compile(rb"[^\s\[]{1,255} (?=\d{4}-\d\d-\d\d )")  # OpenStack's collected logs name the file first
_SLASHED = re.compile(rb"(\d\d)/(\d\d)/(\d\d) (\d\d):(\d\d):(\d\d) ")
_SHORT = re.compile(rb"(\d\d)(\d\d)(\d\d) (\d\d)(\d\d)(\d\d) ")
_HEAD = re.compile(
    rb"(?:- )?(?:\[(?P<before>[^\]]{1,128})\] )?(?:(?P<pid>\d{1,9}) )?(?P<level>[A-Za-z]{4,8})\s{1,8}"
    rb"(?:(?P<spring>\d{1,9}) --- )?"
    rb"(?:\[(?P<thread>(?:[^\[\]]|\[[^\[\]]{0,128}\]){0,256}+)\]\s{1,8})?"
    rb"(?:- )?(?:(?P<logger>[A-Za-z_][\w.$/@-]{0,200}+)\s{0,60}(?:: ?| - | (?=\[))(?P<request>\[[^\]]{0,256}\] ?)?)?"
)


def parser(times: Times) -> Parse:
    """Return the parser."""
    slashed = Known(lambda stamp: _numbers(_SLASHED, stamp, times))
    short = Known(lambda stamp: _numbers(_SHORT, stamp, times))

    def stamped(line: bytes) -> tuple[int, int]:
        """Return the line's time and where what follows it begins."""
        if line[2:3] == b"/":
            return slashed[line[:18]], 18
        if line[6:7] == b" " and line[:6].isdigit():
            return short[line[:14]], 14
        skip = 0
        if not (found := _ISO.match(line)) and (prefix := _PREFIXED.match(line)):
            skip = prefix.end()
            found = _ISO.match(line, skip)
        if not found:
            raise Unfit("it does not begin with a time that Java's or Python's loggers write")
        return times.iso(found[1].replace(b",", b".")), found.end()

    def parse(line: bytes) -> Row:
        moment, start = stamped(line)
        return _rest(line, moment, start)

    return parse


def _rest(line: bytes, moment: int, start: int) -> Row:
    while line[start : start + 1] == b" ":
        start += 1
    head = _HEAD.match(line, start)
    level = severity.number(head["level"].decode()) if head else severity.NONE
    if head is None or level == severity.NONE:
        return (moment, severity.NONE, "", "", NO_PID, start, len(line), None)
    thread, logger = head["thread"] or head["before"], head["logger"]
    fields = {}
    if thread:
        fields["thread"] = text(thread.strip())
    if head["request"]:
        fields["request"] = text(head["request"].strip()[1:-1])
    pid = number(head["pid"] or head["spring"] or b"")
    extra = Extra(fields=fields) if fields else None
    return (moment, level, "", text(logger) if logger else "", pid, head.end(), len(line), extra)


def _numbers(form: "re.Pattern[bytes]", stamp: bytes, times: Times) -> int:
    found = form.match(stamp)
    if found is None:
        raise Unfit("it does not begin with a time that Java's or Python's loggers write")
    year, *rest = (int(part) for part in found.groups())
    return times.moment(2000 + year, *rest)
