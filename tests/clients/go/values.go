// What the client makes of values, and the short words in which cases are written.
package main

import (
	"context"
	"fmt"
	"math"
	"time"

	"cloud.google.com/go/civil"
	"cloud.google.com/go/spanner"
	"cloud.google.com/go/spanner/apiv1/spannerpb"
)

var singerColumns = []string{"SingerId", "Name", "Salary"}

func decode[T any](value spanner.GenericColumnValue) (to T) {
	check(value.Decode(&to))
	return to
}

// plain is what the client makes of a value, as JSON has it: INT64 is a number of all its digits, BYTES base64, DATE and TIMESTAMP are as
// Spanner writes them.
func plain(value spanner.GenericColumnValue) any {
	switch value.Type.Code {
	case spannerpb.TypeCode_INT64:
		return decode[*int64](value)
	case spannerpb.TypeCode_STRING:
		return decode[*string](value)
	case spannerpb.TypeCode_BOOL:
		return decode[*bool](value)
	case spannerpb.TypeCode_BYTES:
		return decode[[]byte](value)
	case spannerpb.TypeCode_DATE:
		return decode[*civil.Date](value)
	case spannerpb.TypeCode_TIMESTAMP:
		return decode[*time.Time](value)
	case spannerpb.TypeCode_FLOAT64:
		return plainFloat(decode[*float64](value))
	default:
		panic(fmt.Errorf("a value of type %v", value.Type))
	}
}

func plainFloat(value *float64) any {
	switch {
	case value == nil:
		return nil
	case math.IsNaN(*value):
		return "NaN"
	case math.IsInf(*value, 1):
		return "Infinity"
	case math.IsInf(*value, -1):
		return "-Infinity"
	default:
		return *value
	}
}

func tryRows(found *spanner.RowIterator) ([][]any, error) {
	rows := [][]any{}
	err := found.Do(func(row *spanner.Row) error {
		plainRow := make([]any, row.Size())
		for i := range plainRow {
			var value spanner.GenericColumnValue
			if err := row.Column(i, &value); err != nil {
				return err
			}
			plainRow[i] = plain(value)
		}
		rows = append(rows, plainRow)
		return nil
	})
	return rows, err
}

func rows(found *spanner.RowIterator) [][]any { return must(tryRows(found)) }

// A transaction of either kind.
type reader interface {
	Query(context.Context, spanner.Statement) *spanner.RowIterator
	ReadRow(context.Context, string, spanner.Key, []string) (*spanner.Row, error)
}

func query(ctx context.Context, db *spanner.Client, sql string) [][]any {
	return rows(db.Single().Query(ctx, spanner.NewStatement(sql)))
}

func tryQuery(ctx context.Context, db *spanner.Client, sql string) error {
	_, err := tryRows(db.Single().Query(ctx, spanner.NewStatement(sql)))
	return err
}

func singers(ctx context.Context, from reader) [][]any {
	return rows(from.Query(ctx, spanner.NewStatement("SELECT SingerId, Name, Salary FROM Singers ORDER BY SingerId")))
}

func salary(ctx context.Context, from reader, singer int) (found int64, err error) {
	row, err := from.ReadRow(ctx, "Singers", spanner.Key{singer}, []string{"Salary"})
	if err == nil {
		err = row.Column(0, &found)
	}
	return found, err
}

func setSalary(singer int, to int64) *spanner.Mutation {
	return spanner.Update("Singers", []string{"SingerId", "Salary"}, []any{singer, to})
}

func addSinger(row ...any) *spanner.Mutation {
	return spanner.Insert("Singers", singerColumns[:len(row)], row)
}

func write(ctx context.Context, db *spanner.Client, changes ...*spanner.Mutation) time.Time {
	return must(db.Apply(ctx, changes))
}

func tryWrite(ctx context.Context, db *spanner.Client, change *spanner.Mutation) error {
	_, err := db.Apply(ctx, []*spanner.Mutation{change})
	return err
}

// only makes these the rows of Singers. Answers when that was committed.
func only(ctx context.Context, db *spanner.Client, inserts ...*spanner.Mutation) time.Time {
	return write(ctx, db, append([]*spanner.Mutation{spanner.Delete("Singers", spanner.AllKeys())}, inserts...)...)
}
