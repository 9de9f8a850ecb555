// Cases of what is refused, and of what ends before its end.
package main

import (
	"context"
	"time"

	"cloud.google.com/go/spanner"
	"cloud.google.com/go/spanner/apiv1/spannerpb"
)

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
