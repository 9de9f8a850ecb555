// Cases of transactions, snapshots and the past.
package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"cloud.google.com/go/spanner"
)

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
