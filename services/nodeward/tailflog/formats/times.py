"""Times as log lines write them, made into microseconds since 1970.

A line's zone is its own where it names one, else the source's `timezone`, else this machine's. A time without a year gets
the year that makes it the latest moment not more than a day after the reference: the moment of reading, or the file's
last change if that is earlier. So a line of 31 December read on 1 January belongs to last year, one of a clock that runs
a little ahead belongs to next year, and an old file keeps its own year. In the same way a time in the hour that a zone has
twice when summer ends is the second one, unless that lies ahead.
"""

from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from nodeward.tailflog.formats.base import Known, Unfit

_MONTHS = {
    name: number
    for number, name in enumerate(
        (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"), start=1
    )
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = 86_400_000_000
_STALE = 20 * 60_000_000  # how far the reference may lag: well within the hour that there may be twice
_MICROSECOND = timedelta(microseconds=1)


def zone(name: str) -> tzinfo | None:
    """Return the zone of that IANA name, None (this machine's) for "". Raise ValueError with a sentence if there is none."""
    if not name:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is no time zone; write for example Europe/Berlin or UTC") from None


class _Seconds(dict[bytes, int]):
    def __missing__(self, key: bytes) -> int:
        raise Unfit("its time does not exist")


# Decoding a whole time costs twenty times what a look-up does, so what is remembered are minutes. A leap second belongs to
# the last second of its minute.
SECONDS = _Seconds({b":%02d" % second: min(second, 59) * 1_000_000 for second in range(61)})


class Times:
    """Reads the times of one source. `at(reference)` before each chunk says what "now" is for years that are left out."""

    def __init__(self, zone: tzinfo | None, reference: int) -> None:
        self._zone = zone
        self._reference = reference
        self.minutes = Known(lambda minute: self._yearless(minute + b":00"))  # of times without a year
        self.ctime = Known(self._ctime)
        self._common_minutes = Known(lambda minute: self._common(minute[:17] + b":00" + minute[17:]))
        self._iso_minutes = Known(lambda minute: self._iso(minute[:16] + b":00" + minute[16:]))

    def at(self, reference: int) -> None:
        """Take `reference` (µs) as the moment of reading."""
        if abs(reference - self._reference) > _STALE:
            for known in (self.minutes, self.ctime, self._common_minutes, self._iso_minutes):
                known.clear()
            self._reference = reference

    def iso(self, stamp: bytes) -> int:
        """Given ``2026-11-23T09:05:00``, with `T` or a blank, with or without a fraction and a zone, return the moment."""
        second, rest = SECONDS[stamp[16:19]], stamp[19:]
        if not rest:
            return self._iso_minutes[stamp[:16]] + second
        if rest[:1] in b".,":
            digits = rest[1:].rstrip(b"Zz")
            if digits.isdigit():
                fraction = int(digits[:6].ljust(6, b"0"))
                return self._iso_minutes[stamp[:16] + rest[1 + len(digits) :]] + second + fraction
            return self._iso_zoned(stamp[:16], rest) + second
        return self._iso_minutes[stamp[:16] + rest] + second

    def yearless(self, stamp: bytes) -> int:
        """Given ``Nov  3 09:05:00``, return the moment."""
        return self.minutes[stamp[:12]] + SECONDS[stamp[12:]]

    def common(self, stamp: bytes) -> int:
        """Given ``10/Oct/2000:13:55:36 -0700``, return the moment."""
        return self._common_minutes[stamp[:17] + stamp[20:]] + SECONDS[stamp[17:20]]

    def any(self, stamp: bytes) -> int:
        """Return the moment of a time in any of the ways this module knows: for patterns, JSON and logfmt."""
        stamp = stamp.strip()
        if stamp[4:5] in b"-/" and len(stamp) >= 19:
            return self.iso(stamp.replace(b"/", b"-"))
        if stamp[3:4] == b" " and len(stamp) == 15:
            return self.yearless(stamp)
        if stamp[2:3] == b"/":
            return self.common(stamp)
        if stamp[3:4] == b" ":
            return self.ctime[stamp]
        return epoch(stamp)

    def moment(self, *parts: int) -> int:
        """Given year, month, day, hour, minute, second in the source's zone, return µs. Raise Unfit if there is no such time."""
        try:
            return self._resolve(datetime(*parts))  # type: ignore[arg-type] # noqa: DTZ001 - `_resolve` gives the zone
        except (ValueError, OverflowError):
            raise Unfit("its time does not exist") from None

    def _resolve(self, naive: datetime) -> int:
        first, second = self._in_zone(naive), self._in_zone(naive.replace(fold=1))
        return second if first < second <= self._reference + 2 * _STALE else first

    def _in_zone(self, naive: datetime) -> int:
        aware = naive.astimezone() if self._zone is None else naive.replace(tzinfo=self._zone)
        return (aware - _EPOCH) // _MICROSECOND

    def _iso_zoned(self, minute: bytes, rest: bytes) -> int:
        for sign in (b"+", b"-"):
            digits, found, hours = rest[1:].partition(sign)
            if found and digits.isdigit():
                return self._iso_minutes[minute + sign + hours] + int(digits[:6].ljust(6, b"0"))
        raise Unfit("its time has a fraction that is none")

    def _iso(self, stamp: bytes) -> int:
        try:
            moment = datetime.fromisoformat(stamp.decode("ascii").replace(" ", "T", 1))
            return self._resolve(moment) if moment.tzinfo is None else (moment - _EPOCH) // _MICROSECOND
        except (ValueError, OverflowError):
            raise Unfit("there is no ISO time where one belongs") from None

    def _yearless(self, stamp: bytes) -> int:
        """``Nov  3 09:05:00`` (RFC 3164)."""
        month = _MONTHS.get(stamp[:3])
        if month is None or len(stamp) != 15 or stamp[6:7] != b" ":
            raise Unfit("it does not begin with a time such as 'Nov  3 09:05:00'")
        day, clock = _int(stamp[4:6]), _clock(stamp[7:])
        latest = (_EPOCH + timedelta(microseconds=self._reference)).year + 1
        for year in range(latest, latest - 9, -1):  # nine, because 29 February may be eight years back
            if not _exists(year, month, day):
                continue
            moment = self.moment(year, month, day, *clock)
            if moment <= self._reference + _DAY:
                return moment
        raise Unfit("its time does not exist")

    def _common(self, stamp: bytes) -> int:
        """``10/Oct/2000:13:55:36 -0700`` (the web servers' access logs)."""
        month = _MONTHS.get(stamp[3:6])
        if month is None or len(stamp) not in (20, 26) or stamp[11:12] != b":":
            raise Unfit("it has no time such as [10/Oct/2000:13:55:36 -0700]")
        parts = (_int(stamp[7:11]), month, _int(stamp[:2]), *_clock(stamp[12:20]))
        if len(stamp) == 20:
            return self.moment(*parts)
        offset = timedelta(hours=_int(stamp[22:24]), minutes=_int(stamp[24:26]))
        try:
            there = timezone(-offset if stamp[21:22] == b"-" else offset)
            return (datetime(*parts, tzinfo=there) - _EPOCH) // _MICROSECOND
        except (ValueError, OverflowError):
            raise Unfit("its time does not exist") from None

    def _ctime(self, stamp: bytes) -> int:
        """``Sun Dec 04 04:47:44 2005``, with or without a fraction (Apache's error log)."""
        parts = stamp.split()
        if len(parts) != 5 or parts[1] not in _MONTHS:
            raise Unfit("it does not begin with a time such as [Sun Dec 04 04:47:44 2005]")
        seconds, _, fraction = parts[3].partition(b".")
        moment = self.moment(_int(parts[4]), _MONTHS[parts[1]], _int(parts[2]), *_clock(seconds))
        return moment + int(fraction[:6].ljust(6, b"0")) if fraction.isdigit() else moment


def epoch(stamp: bytes) -> int:
    """Given seconds, milliseconds, microseconds or nanoseconds since 1970, told apart by their size, return microseconds."""
    whole, dot, fraction = stamp.partition(b".")
    if not whole.isdigit() or len(whole) > 19 or (dot and not fraction.isdigit()):
        raise Unfit("its time is in no form known here")
    number = int(whole)
    if number < 100_000_000_000:
        return number * 1_000_000 + int(fraction[:6].ljust(6, b"0"))
    if number < 100_000_000_000_000:
        return number * 1000 + int(fraction[:3].ljust(3, b"0"))
    return number if number < 100_000_000_000_000_000 else number // 1000


def _exists(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def _clock(stamp: bytes) -> tuple[int, int, int]:
    if len(stamp) != 8 or stamp[2:3] != b":" or stamp[5:6] != b":":
        raise Unfit("its time of day is not hh:mm:ss")
    return _int(stamp[:2]), _int(stamp[3:5]), SECONDS[stamp[5:]] // 1_000_000


def _int(digits: bytes) -> int:
    digits = digits.strip()
    if not digits.isdigit():
        raise Unfit("its time has letters where digits belong")
    return int(digits)
