"""Following files: hear of a write, read, and put what was read on the spool. The way in is `Tail`, the way out the spool.

tail         the loop: one thread
turns        whose turn it is
descriptors  which files are open
files        which files there are, and where each went
copies       which of them are only copies
streams      those that are followed, by inode and by name
stream       one of them: reading it
spooling     what was read goes onto the spool
discover, watch   asking the file system, hearing from it
"""

from nodeward.tailflog.follow.tail import Tail

__all__ = ["Tail"]
