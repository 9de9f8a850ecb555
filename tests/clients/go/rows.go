// Cases of values, reads and queries.
package main

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"cloud.google.com/go/civil"
	"cloud.google.com/go/spanner"
)

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
