package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"cloud.google.com/go/civil"
	"cloud.google.com/go/spanner"
	"cloud.google.com/go/spanner/admin/database/apiv1/databasepb"
	"cloud.google.com/go/spanner/apiv1/spannerpb"
	"google.golang.org/api/iterator"
)

var cases = []testCase[*place]{
	{"makes_a_database", makesADatabase},
	{"mutates", mutates},
	{"keeps_every_type", keepsEveryType},
	{"asks_with_parameters", asksWithParameters},
	{"reads_keys_ranges_and_limits", readsKeysRangesAndLimits},
	{"streams_many_rows", streamsManyRows},
	{"runs_an_aborted_transaction_again", runsAnAbortedTransactionAgain},
	{"hears_when_to_try_again", hearsWhenToTryAgain},
	{"loses_no_addition", losesNoAddition},
	{"rolls_back", rollsBack},
	{"stands_still_in_a_snapshot", standsStillInASnapshot},
	{"reads_the_past", readsThePast},
	{"partitions", partitions},
	{"counts_mutations", countsMutations},
	{"hears_what_is_wrong", hearsWhatIsWrong},
	{"is_held_to_the_policy", isHeldToThePolicy},
	{"acts_as_an_account", actsAsAnAccount},
	{"cancels_a_stream", cancelsAStream},
	{"keeps_a_deadline", keepsADeadline},
	{"drops_a_database", dropsADatabase},
}

// --- schema ------------------------------------------------------------------------------------------------------------------

func makesADatabase(ctx context.Context, p *place) any {
	create := func() error {
		operation, err := p.admin.CreateDatabase(ctx, &databasepb.CreateDatabaseRequest{Parent: p.instancePath(),
			CreateStatement: "CREATE DATABASE `" + p.Database + "`", ExtraStatements: p.DDL})
		if err == nil {
			_, err = operation.Wait(ctx)
		}
		return err
	}
	change := func(statement string) error {
		operation, err := p.admin.UpdateDatabaseDdl(ctx, &databasepb.UpdateDatabaseDdlRequest{Database: p.path(), Statements: []string{statement}})
		if err == nil {
			err = operation.Wait(ctx)
		}
		return err
	}
	const later = "CREATE TABLE Later (A INT64) PRIMARY KEY (A)"
	check(create())
	p.db = p.as("admin")
	check(change(later))
	return object{"tables": tables(ctx, p), "listed": slices.Contains(databases(ctx, p), p.path()), "again": refused(create()), "bad": refused(change(later))}
}

func tables(ctx context.Context, p *place) (names []string) {
	ddl := must(p.admin.GetDatabaseDdl(ctx, &databasepb.GetDatabaseDdlRequest{Database: p.path()}))
	for _, statement := range ddl.Statements {
		names = append(names, strings.Fields(statement)[2])
	}
	return names
}

func databases(ctx context.Context, p *place) (names []string) {
	listed := p.admin.ListDatabases(ctx, &databasepb.ListDatabasesRequest{Parent: p.instancePath()})
	for {
		found, err := listed.Next()
		if err == iterator.Done {
			return names
		}
		check(err)
		names = append(names, found.Name)
	}
}

func dropsADatabase(ctx context.Context, p *place) any {
	check(p.admin.DropDatabase(ctx, &databasepb.DropDatabaseRequest{Database: p.path()}))
	_, err := p.admin.GetDatabase(ctx, &databasepb.GetDatabaseRequest{Name: p.path()})
	return refused(err)
}

// --- values and rows ---------------------------------------------------------------------------------------------------------

func mutates(ctx context.Context, p *place) any {
	only(ctx, p.db, addSinger(1, "a", 10), addSinger(2, "b", 20), addSinger(3, "c", 30), addSinger(4, "d", 40))
	columns := singerColumns[:2]
	must(p.db.ReadWriteTransaction(ctx, func(_ context.Context, transaction *spanner.ReadWriteTransaction) error {
		return transaction.BufferWrite([]*spanner.Mutation{spanner.Update("Singers", columns, []any{1, "A"}),
			spanner.InsertOrUpdate("Singers", columns, []any{2, "B"}), spanner.InsertOrUpdate("Singers", columns, []any{5, "E"}),
			spanner.Replace("Singers", columns, []any{3, "C"}), spanner.Delete("Singers", spanner.Key{4})})
	}))
	return singers(ctx, p.db.Single())
}

func date(text string) civil.Date   { return must(civil.ParseDate(text)) }
func instant(text string) time.Time { return must(time.Parse(time.RFC3339Nano, text)) }

func keepsEveryType(ctx context.Context, p *place) any {
	columns := []string{"SingerId", "Name", "Score", "Born", "Updated", "Active", "Picture"}
	row := func(values ...any) *spanner.Mutation { return spanner.Insert("Singers", columns, values) }
	only(ctx, p.db,
		row(1, "Ünïcode \U0001f600", 1.5, date("1969-12-31"), instant("2026-01-02T03:04:05.678901234Z"), true, []byte{0, 255}),
		row(2, "", math.Inf(1), date("0001-01-01"), instant("9999-12-31T23:59:59.999999999Z"), false, []byte{}),
		row(3, nil, nil, nil, nil, nil, nil),
		row(int64(math.MaxInt64), "most", math.NaN(), nil, nil, nil, nil),
		row(int64(math.MinInt64), "least", math.Inf(-1), nil, nil, nil, nil))
	return rows(p.db.Single().Read(ctx, "Singers", spanner.AllKeys(), columns))
}

func asksWithParameters(ctx context.Context, p *place) any {
	only(ctx, p.db, addSinger(1, "n1' OR 'a'='a", 10), addSinger(2, "b", 20))
	ask := func(sql string, params map[string]any) [][]any {
		return rows(p.db.Single().Query(ctx, spanner.Statement{SQL: sql, Params: params}))
	}
	const all = "SELECT @i AS i, @f AS f, @s AS s, @b AS b, @d AS d, @t AS t, @y AS y"
	return object{
		"values": ask(all, map[string]any{"i": int64(9007199254740993), "f": 0.25, "s": "é\"\\", "b": true, "d": date("2024-02-29"),
			"t": instant("2026-01-02T03:04:05.678901234Z"), "y": []byte("\x00bytes")}),
		"nulls": ask(all, map[string]any{"i": spanner.NullInt64{}, "f": spanner.NullFloat64{}, "s": spanner.NullString{}, "b": spanner.NullBool{},
			"d": spanner.NullDate{}, "t": spanner.NullTime{}, "y": []byte(nil)}),
		"untyped": ask("SELECT SingerId FROM Singers WHERE Name = @name AND Salary < @most", map[string]any{"name": "n1' OR 'a'='a", "most": 15}),
	}
}

func readsKeysRangesAndLimits(ctx context.Context, p *place) any {
	var changes []*spanner.Mutation
	for _, owner := range []string{"ann", "bob", "cyd"} {
		for id := range 4 {
			changes = append(changes, spanner.InsertOrUpdate("Notes", []string{"Owner", "Id", "Text"}, []any{owner, id, fmt.Sprint(owner, id)}))
		}
	}
	write(ctx, p.db, changes...)
	read := func(keys spanner.KeySet, limit int) (texts []string) {
		found := p.db.Single().ReadWithOptions(ctx, "Notes", keys, []string{"Text"}, &spanner.ReadOptions{Limit: limit})
		for _, row := range rows(found) {
			texts = append(texts, *row[0].(*string))
		}
		return texts
	}
	keys := read(spanner.KeySetFromKeys(spanner.Key{"bob", 2}, spanner.Key{"ann", 0}, spanner.Key{"zoe", 1}), 0)
	slices.Sort(keys)
	return object{"keys": keys, "prefix": read(spanner.Key{"bob"}.AsPrefix(), 0), "limit": read(spanner.AllKeys(), 5),
		"between": read(spanner.KeyRange{Start: spanner.Key{"ann", 2}, End: spanner.Key{"bob", 2}, Kind: spanner.OpenOpen}, 0)}
}

func bigText(id int) string { return fmt.Sprintf("%-100s", fmt.Sprintf("row %d ", id)) }

func streamsManyRows(ctx context.Context, p *place) any {
	for ids := range slices.Chunk(upTo(p.Many), 5000) {
		var changes []*spanner.Mutation
		for _, id := range ids {
			changes = append(changes, spanner.Insert("Big", []string{"Id", "Text"}, []any{id, bigText(id)}))
		}
		write(ctx, p.db, changes...)
	}
	body := bytes.Repeat([]byte("ab"), p.Wide/2)
	write(ctx, p.db, spanner.Insert("Wide", []string{"Id", "Body"}, []any{1, body}))
	count, total, inOrder := 0, 0, true
	found := p.db.Single().Query(ctx, spanner.NewStatement("SELECT Id, Text FROM Big ORDER BY Id"))
	check(found.Do(func(row *spanner.Row) error {
		var big struct {
			Id   int64
			Text string
		}
		err := row.ToStruct(&big)
		inOrder = inOrder && big.Id == int64(count) && big.Text == bigText(count)
		count, total = count+1, total+len(big.Text)
		return err
	}))
	wide := must(p.db.Single().ReadRow(ctx, "Wide", spanner.Key{1}, []string{"Body"}))
	var got []byte
	check(wide.Column(0, &got))
	return object{"count": count, "total": total, "inOrder": inOrder, "wide": bytes.Equal(got, body)}
}

func upTo(end int) []int {
	numbers := make([]int, end)
	for i := range numbers {
		numbers[i] = i
	}
	return numbers
}

// As Spark does: one makes the partitions, another process reads them by what it was told.
func partitions(ctx context.Context, p *place) any {
	batch := must(p.db.BatchReadOnlyTransaction(ctx, spanner.StrongRead()))
	defer batch.Close()
	byQuery := must(batch.PartitionQuery(ctx, spanner.NewStatement("SELECT Id FROM Big"), spanner.PartitionOptions{}))
	byRead := must(batch.PartitionRead(ctx, "Big", spanner.AllKeys(), []string{"Id"}, spanner.PartitionOptions{}))
	var id spanner.BatchReadOnlyTransactionID
	check(id.UnmarshalBinary(must(batch.ID.MarshalBinary())))
	there := p.as("admin").BatchReadOnlyTransactionFromID(id)
	return object{"query": readParts(ctx, there, byQuery, p.Many), "read": readParts(ctx, there, byRead, p.Many)}
}

func readParts(ctx context.Context, there *spanner.BatchReadOnlyTransaction, parts []*spanner.Partition, many int) object {
	var all []int
	filled := 0
	for _, part := range parts {
		var passed spanner.Partition
		check(passed.UnmarshalBinary(must(part.MarshalBinary())))
		found := rows(there.Execute(ctx, &passed))
		for _, row := range found {
			all = append(all, int(*row[0].(*int64)))
		}
		if len(found) > 0 {
			filled++
		}
	}
	slices.Sort(all)
	return object{"several": filled > 1, "whole": slices.Equal(all, upTo(many))}
}

// --- transactions ------------------------------------------------------------------------------------------------------------

// One reads before, the other commits between: the first must be told ABORTED, and its client runs it again.
func runsAnAbortedTransactionAgain(ctx context.Context, p *place) any {
	only(ctx, p.db, addSinger(1, "counter", 0))
	attempts := 0
	must(p.db.ReadWriteTransaction(ctx, func(inside context.Context, transaction *spanner.ReadWriteTransaction) error {
		attempts++
		have, err := salary(inside, transaction, 1)
		if err == nil && attempts == 1 {
			err = tryWrite(ctx, p.db, setSalary(1, 100))
		}
		return errors.Join(err, transaction.BufferWrite([]*spanner.Mutation{setSalary(1, have+1)}))
	}))
	return object{"attempts": attempts, "rows": singers(ctx, p.db.Single())}
}

// The same without the client's help: how long to wait stands in the error.
func hearsWhenToTryAgain(ctx context.Context, p *place) any {
	only(ctx, p.db, addSinger(1, "counter", 0))
	transaction := must(spanner.NewReadWriteStmtBasedTransaction(ctx, p.db))
	must(salary(ctx, transaction, 1))
	write(ctx, p.db, setSalary(1, 100))
	check(transaction.BufferWrite([]*spanner.Mutation{setSalary(1, 1)}))
	_, err := transaction.Commit(ctx)
	_, delay := spanner.ExtractRetryDelay(err)
	return object{"code": refused(err)["code"], "delay": delay, "rows": singers(ctx, p.db.Single())}
}

func losesNoAddition(ctx context.Context, p *place) any {
	only(ctx, p.db, addSinger(1, "counter", 0), addSinger(2, "counter", 0))
	add := func(singer int) error {
		_, err := p.db.ReadWriteTransaction(ctx, func(ctx context.Context, transaction *spanner.ReadWriteTransaction) error {
			have, err := salary(ctx, transaction, singer)
			if err != nil {
				return err
			}
			return transaction.BufferWrite([]*spanner.Mutation{setSalary(singer, have+1)})
		})
		return err
	}
	var adding sync.WaitGroup
	failures := make([]error, 8)
	for i := range failures {
		adding.Go(func() { failures[i] = add(1 + i%2) })
	}
	adding.Wait()
	check(errors.Join(failures...))
	return singers(ctx, p.db.Single())
}

func rollsBack(ctx context.Context, p *place) any {
	only(ctx, p.db, addSinger(1, "a", 1))
	_, err := p.db.ReadWriteTransaction(ctx, func(ctx context.Context, transaction *spanner.ReadWriteTransaction) error {
		_, err := salary(ctx, transaction, 1)
		return errors.Join(err, transaction.BufferWrite([]*spanner.Mutation{setSalary(1, 2)}), errors.New("the caller's own"))
	})
	return object{"told": refused(err)["message"], "rows": singers(ctx, p.db.Single())}
}

func standsStillInASnapshot(ctx context.Context, p *place) any {
	only(ctx, p.db, addSinger(1, "one", 1))
	snapshot := p.db.ReadOnlyTransaction()
	defer snapshot.Close()
	before := rows(snapshot.Read(ctx, "Singers", spanner.Key{1}, []string{"Name"}))
	write(ctx, p.db, spanner.Update("Singers", singerColumns[:2], []any{1, "two"}))
	return object{"before": before, "inside": singers(ctx, snapshot), "after": singers(ctx, p.db.Single())}
}

func readsThePast(ctx context.Context, p *place) any {
	first := only(ctx, p.db, addSinger(1, "first", 1))
	second := write(ctx, p.db, spanner.Update("Singers", singerColumns[:2], []any{1, "second"}), addSinger(2, "new", 2))
	at := func(bound spanner.TimestampBound) [][]any {
		return singers(ctx, p.db.Single().WithTimestampBound(bound))
	}
	_, tooOld := attempt(func() any { return at(spanner.ExactStaleness(2 * time.Hour)) })
	return object{"first": at(spanner.ReadTimestamp(first)), "second": at(spanner.ReadTimestamp(second)),
		"atLeast": at(spanner.MinReadTimestamp(second)), "strong": at(spanner.StrongRead()), "tooOld": refused(tooOld)}
}

func countsMutations(ctx context.Context, p *place) any {
	only(ctx, p.db)
	committed := must(p.db.ReadWriteTransactionWithOptions(ctx, func(_ context.Context, transaction *spanner.ReadWriteTransaction) error {
		return transaction.BufferWrite([]*spanner.Mutation{addSinger(1, "a", 1), addSinger(2, "b", 2)})
	}, spanner.TransactionOptions{CommitOptions: spanner.CommitOptions{ReturnCommitStats: true}}))
	return committed.CommitStats.GetMutationCount()
}

// --- what is refused ---------------------------------------------------------------------------------------------------------

func hearsWhatIsWrong(ctx context.Context, p *place) any {
	only(ctx, p.db, addSinger(1, "a", 1))
	_, dml := p.db.ReadWriteTransaction(ctx, func(ctx context.Context, transaction *spanner.ReadWriteTransaction) error {
		_, err := transaction.Update(ctx, spanner.NewStatement("UPDATE Singers SET Salary = 1 WHERE TRUE"))
		return err
	})
	batchWrite := p.db.BatchWrite(ctx, []*spanner.MutationGroup{{Mutations: []*spanner.Mutation{setSalary(1, 2)}}})
	return object{
		"exists":      refused(tryWrite(ctx, p.db, addSinger(1, "again"))),
		"no_row":      refused(tryWrite(ctx, p.db, spanner.Update("Singers", singerColumns[:2], []any{77, "x"}))),
		"no_table":    refused(tryWrite(ctx, p.db, spanner.Insert("Nothing", []string{"A"}, []any{1}))),
		"no_column":   refused(tryQuery(ctx, p.db, "SELECT Nix FROM Singers")),
		"syntax":      refused(tryQuery(ctx, p.db, "SELECT 1 +\nFROM Singers")),
		"overflow":    refused(tryQuery(ctx, p.db, "SELECT 9223372036854775807 + 1")),
		"dml":         refused(dml),
		"batch_write": refused(batchWrite.Do(func(*spannerpb.BatchWriteResponse) error { return nil })),
		"no_database": refused(tryQuery(ctx, p.open("admin", p.path()+"-no"), "SELECT 1")),
		"rows":        singers(ctx, p.db.Single()),
	}
}

func isHeldToThePolicy(ctx context.Context, p *place) any {
	only(ctx, p.db, addSinger(1, "a", 100))
	reader := p.as("reader")
	_, read := tryRows(reader.Single().Read(ctx, "Singers", spanner.AllKeys(), []string{"SingerId", "Salary"}))
	return object{
		"allowed":  query(ctx, reader, "SELECT Name FROM Singers"),
		"column":   refused(tryQuery(ctx, reader, "SELECT Salary FROM Singers")),
		"read":     refused(read),
		"write":    refused(tryWrite(ctx, reader, addSinger(9, "x"))),
		"stranger": refused(tryQuery(ctx, p.as("stranger"), "SELECT 1")),
	}
}

func actsAsAnAccount(ctx context.Context, p *place) any {
	return object{"rows": query(ctx, p.as("worker"), "SELECT Name FROM Singers"), "other": refused(tryQuery(ctx, p.as("refused"), "SELECT 1"))}
}

// --- ends before its end -----------------------------------------------------------------------------------------------------

func cancelsAStream(ctx context.Context, p *place) any {
	count := 0
	stream := p.db.Single().Query(ctx, spanner.NewStatement("SELECT Id, Text FROM Big"))
	for ; count < 10; count++ {
		must(stream.Next())
	}
	stream.Stop()
	wanted, cancel := context.WithCancel(ctx)
	time.AfterFunc(300*time.Millisecond, cancel)
	began := time.Now()
	refused(tryQuery(wanted, p.db, p.Slow))
	return object{"count": count, "quick": quick(began), "next": query(ctx, p.db, "SELECT 1")}
}

func keepsADeadline(ctx context.Context, p *place) any {
	hasty, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancel()
	began := time.Now()
	late := refused(tryQuery(hasty, p.db, p.Slow))
	return object{"code": late["code"], "quick": quick(began), "next": query(ctx, p.db, "SELECT 1")}
}
