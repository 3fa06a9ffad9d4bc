"""A device's console, as odd as they come: it echoes in its own way, asks twice, sends colours, and cuts characters.

    odd_device.py echo|stars|colours

It switches the terminal's own echo off and echoes itself: each character alone, or a star over each, or in colours. The right
secret (DEVICE_SECRET) must be given twice; then it shows it once more, in pieces cut within characters and within colours.
"""

import os
import sys
import termios
import time
import tty


def say(data: bytes, size: int = 1) -> None:
    """Write bytes a few at a time."""
    for at in range(0, len(data), size):
        os.write(1, data[at : at + size])
        time.sleep(0.0005)


def read_line(way: str) -> str:
    """Read a line in raw mode and echo it in that way."""
    line = b""
    while True:
        byte = os.read(0, 1)
        if byte in (b"\r", b"\n", b""):
            say(b"\r\n")
            return line.decode()
        line += byte
        shown = {"echo": byte, "stars": byte + b"\b*", "colours": b"\x1b[3%dm" % (len(line) % 8) + byte + b"\x1b[0m"}[
            way
        ]
        os.write(1, shown)


def main() -> int:
    """Ask, ask again, show."""
    way, secret = sys.argv[1], os.environ["DEVICE_SECRET"]
    before = termios.tcgetattr(0)
    tty.setraw(0)
    try:
        say("\x1b[2J\x1b[1;33mGerät größer ☃\x1b[0m\r\n".encode())
        for ask in ("\x1b[1mPass\x1b[22mwört\x1b[0m: ", "Noch\x1b]0;titel\x07mal Passwört: "):
            say(ask.encode())
            if read_line(way) != secret:
                say(b"\x1b[31mFalsch\x1b[0m\r\n")
                return 1
        say(f"Danke. \x1b[32m{secret[:3]}\x1b[0m{secret[3:]} gilt ab jetzt ✓\r\n".encode())
        return 0
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)


if __name__ == "__main__":
    sys.exit(main())
