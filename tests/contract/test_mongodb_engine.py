"""The engine that tests share: each has a database of its own, and nobody's words in a URI are lost."""

import pytest
from pymongo import MongoClient

from support.mongodb import scratch, with_database


@pytest.mark.mongodb
def test_two_databases_of_one_engine_do_not_see_each_other(mongodb: str, mongodb_server: str) -> None:
    with scratch(mongodb_server) as other, MongoClient(mongodb) as mine, MongoClient(other) as theirs:
        mine.get_default_database()["logs"].insert_one({"_id": "a"})
        assert theirs.get_default_database().list_collection_names() == []
        assert mine.get_default_database()["logs"].find_one() == {"_id": "a"}


def test_a_database_is_put_into_a_uri_and_all_else_stays() -> None:
    assert with_database("mongodb://127.0.0.1:1/", "x") == "mongodb://127.0.0.1:1/x"
    assert with_database("mongodb://u:p@a:1,b:2/?w=2", "x") == "mongodb://u:p@a:1,b:2/x?w=2&authSource=admin"
    assert with_database("mongodb://u:p@a/who?authSource=q", "x") == "mongodb://u:p@a/x?authSource=q"
