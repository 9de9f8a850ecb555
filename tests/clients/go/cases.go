// The cases in their order, and those of the schema.
package main

import (
	"context"
	"slices"
	"strings"

	"cloud.google.com/go/spanner/admin/database/apiv1/databasepb"
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
	return object{"tables": tables(ctx, p), "listed": slices.Contains(databases(ctx, p), p.path()),
		"again": refused(create()), "bad": refused(change(later))}
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
