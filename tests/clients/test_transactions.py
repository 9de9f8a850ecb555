"""Read-write transactions with the unmodified Python client: reads and mutations, races, aborts."""
import threading

import pytest
from google.api_core import exceptions
from google.cloud.spanner_v1 import ExecuteSqlRequest, KeySet, Mutation, TransactionOptions, TransactionSelector

import setting


def salaries(database):
    with database.snapshot() as snapshot:
        return [tuple(row) for row in snapshot.execute_sql("SELECT SingerId, Salary FROM Singers ORDER BY SingerId")]


def read_one(transaction, singer):
    return transaction.read("Singers", ("Salary",), KeySet(keys=[[singer]])).one()[0]


def test_reads_and_mutations_in_one_transaction(database):
    setting.put_singers(database, [(1, "a", 100), (2, "b", 0)])

    def move(transaction):
        have = read_one(transaction, 1)
        rows = list(transaction.execute_sql("SELECT Salary FROM Singers WHERE SingerId = 2"))
        transaction.update("Singers", ("SingerId", "Salary"), [(1, have - 30), (2, rows[0][0] + 30)])
        return have

    assert database.run_in_transaction(move) == 100
    assert salaries(database) == [(1, 70), (2, 30)]


def test_a_transaction_does_not_read_its_own_mutations(database):
    setting.put_singers(database, [(1, "a", 1)])

    def work(transaction):
        transaction.update("Singers", ("SingerId", "Salary"), [(1, 2)])
        return read_one(transaction, 1)

    assert database.run_in_transaction(work) == 1
    assert salaries(database) == [(1, 2)]


def test_an_exception_rolls_back(database):
    def work(transaction):
        list(transaction.execute_sql("SELECT COUNT(*) FROM Singers"))
        transaction.insert("Singers", ("SingerId",), [(1,)])
        raise KeyError("the caller's own")

    with pytest.raises(KeyError):
        database.run_in_transaction(work)
    assert salaries(database) == []


def test_of_two_that_race_one_is_aborted_and_retried(database):
    """Both read 0 before either commits. Without validation one of the two additions would be lost."""
    setting.put_singers(database, [(1, "counter", 0)])
    both_read, attempts = threading.Barrier(2, timeout=30), []

    def add(transaction, name):
        have = read_one(transaction, 1)
        attempts.append(name)
        if attempts.count(name) == 1:
            both_read.wait()
        transaction.update("Singers", ("SingerId", "Salary"), [(1, have + 1)])

    errors = []

    def run(name):
        try:
            database.run_in_transaction(add, name)
        except Exception as error:  # shown below
            errors.append(error)

    threads = [threading.Thread(target=run, args=(name,)) for name in ("left", "right")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not errors and salaries(database) == [(1, 2)]
    assert len(attempts) >= 3, "one of them must have been retried"


def test_a_range_that_was_read_guards_against_new_rows(database):
    """Two doctors leave when they see two on call: a write skew that validation of read ranges must stop."""
    setting.put_singers(database, [(1, "ann", 1), (2, "bob", 1)])
    both_read, tries = threading.Barrier(2, timeout=30), {1: 0, 2: 0}

    def leave(transaction, singer):
        on_call = list(transaction.execute_sql("SELECT COUNT(*) FROM Singers WHERE Salary = 1"))[0][0]
        tries[singer] += 1
        if tries[singer] == 1:
            both_read.wait()
        if on_call > 1:
            transaction.update("Singers", ("SingerId", "Salary"), [(singer, 0)])

    threads = [threading.Thread(target=database.run_in_transaction, args=(leave, singer)) for singer in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(row[1] for row in salaries(database)) == [0, 1]


def test_many_transactions_at_once_lose_nothing(database):
    setting.put_singers(database, [(n, "counter", 0) for n in range(4)])

    def add(transaction, singer):
        transaction.update("Singers", ("SingerId", "Salary"), [(singer, read_one(transaction, singer) + 1)])

    def work(begin):
        for n in range(10):
            database.run_in_transaction(add, (begin + n) % 4)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert sum(row[1] for row in salaries(database)) == 40


def test_dml_is_refused_by_name(database):
    with pytest.raises(exceptions.MethodNotImplemented) as refused:
        database.run_in_transaction(lambda transaction: transaction.execute_update("UPDATE Singers SET Salary = 1 WHERE TRUE"))
    assert "UPDATE" in refused.value.message or "DML" in refused.value.message


class Rival:
    """A transaction by hand: reads with SQL, then writes one note."""

    def __init__(self, database):
        self.api = database.spanner_api
        self.session = self.api.create_session(database=database.name).name
        self.begin()

    def begin(self):
        self.id = self.api.begin_transaction(session=self.session, options=TransactionOptions(read_write=TransactionOptions.ReadWrite())).id

    def read(self, sql):
        return self.api.execute_sql(request=ExecuteSqlRequest(session=self.session, sql=sql, transaction=TransactionSelector(id=self.id)))

    def commit(self, owner, number, delete=False):
        keys = {"table": "Notes", "key_set": {"keys": [[owner, str(number)]]}}
        write = {"table": "Notes", "columns": ["Owner", "Id"], "values": [[owner, str(number)]]}
        mutation = Mutation(delete=keys) if delete else Mutation(insert_or_update=write)
        self.api.commit(request={"session": self.session, "transaction_id": self.id, "mutations": [mutation]})


@pytest.mark.parametrize("sql, owner, number, delete, conflict", [
    ("SELECT Id FROM Notes WHERE Owner = 'ann'", "bob", 1, False, False),
    ("SELECT Id FROM Notes WHERE Owner = 'ann'", "ann", 1, False, True),
    ("SELECT Id FROM Notes WHERE Owner = 'ann'", "ann", 99, False, True),  # a phantom: it was not there
    ("SELECT COUNT(*) FROM Notes WHERE Owner = 'ann' AND Id > 5", "ann", 3, False, False),
    ("SELECT COUNT(*) FROM Notes WHERE Owner = 'ann' AND Id > 5", "ann", 7, False, True),
    ("SELECT COUNT(*) FROM Notes WHERE Owner = 'ann' AND Id BETWEEN 2 AND 4", "ann", 3, True, True),
    ("SELECT COUNT(*) FROM Notes WHERE Owner = 'ann' AND Id IN (2, 4)", "ann", 3, True, False),
    ("SELECT Text FROM Notes WHERE Owner = 'zoe' AND Id = 1", "zoe", 1, False, True),  # another, of one row
    ("SELECT Text FROM Notes WHERE Owner = 'zoe' AND Id = 1", "zoe", 2, False, False),
    ("SELECT n.Id FROM Notes n JOIN Singers s ON s.SingerId = n.Id AND n.Owner = 'ann'", "bob", 1, False, False),
    ("SELECT n.Id FROM Notes n LEFT JOIN Singers s ON s.SingerId = n.Id AND n.Owner = 'ann'", "bob", 1, False, True),
    ("SELECT Id FROM Notes WHERE Text = 'x'", "bob", 1, False, True),  # no key: the whole table
])
def test_sql_conflicts_with_what_it_could_have_read_and_no_more(database, sql, owner, number, delete, conflict):
    with database.batch() as batch:
        batch.insert("Notes", ("Owner", "Id"), [(who, n) for who in ("ann", "bob") for n in range(10)])
    first, second = Rival(database), Rival(database)
    first.read(sql)
    second.read("SELECT 1")
    second.commit(owner, number, delete)
    if not conflict:
        return first.commit("cyd", 1)
    with pytest.raises(exceptions.Aborted):
        first.commit("cyd", 1)


def test_of_two_over_different_ranges_both_commit(database):
    with database.batch() as batch:
        batch.insert("Notes", ("Owner", "Id"), [(who, n) for who in ("ann", "bob") for n in range(10)])
    first, second = Rival(database), Rival(database)
    for rival, owner in ((first, "ann"), (second, "bob")):
        rival.read(f"SELECT MAX(Id) FROM Notes WHERE Owner = '{owner}'")
    first.commit("ann", 10)
    second.commit("bob", 10)


def test_who_keeps_losing_in_a_session_goes_first(database):
    """Whoever begins again in its session after ABORTED, as clients without multiplexed sessions do, wins after three losses."""
    loser, rival = Rival(database), Rival(database)
    for _ in range(3):
        loser.read("SELECT COUNT(*) FROM Notes")
        rival.begin()
        rival.commit("ann", 1)
        with pytest.raises(exceptions.Aborted):
            loser.commit("ann", 2)
        loser.begin()
    loser.read("SELECT COUNT(*) FROM Notes")
    rival.begin()
    with pytest.raises(exceptions.Aborted):
        rival.commit("ann", 1)
    loser.commit("ann", 2)
    rival.begin()
    rival.commit("ann", 1)
