// Spanner's Go client, unmodified: credentials are external_account files, TLS trusts SSL_CERT_FILE. What each case must give stands in
// ../spanner_cases.py, for every language the same.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"cloud.google.com/go/spanner"
	database "cloud.google.com/go/spanner/admin/database/apiv1"
	"google.golang.org/api/option"
)

type question struct {
	Host, Project, Instance, Database, Slow string
	Port, Many, Wide                        int
	DDL                                     []string
	Credentials                             map[string]string
}

type place struct {
	question
	admin *database.DatabaseAdminClient
	db    *spanner.Client // the administrator's
	made  []*spanner.Client
}

func (p *place) options(who string) []option.ClientOption {
	return []option.ClientOption{option.WithEndpoint(fmt.Sprintf("%s:%d", p.Host, p.Port)),
		option.WithAuthCredentialsFile(option.ExternalAccount, p.Credentials[who])}
}

func (p *place) instancePath() string {
	return fmt.Sprintf("projects/%s/instances/%s", p.Project, p.Instance)
}
func (p *place) path() string { return p.instancePath() + "/databases/" + p.Database }

// open makes a client of its own, with connections of its own. It asks for its session at once: not before there is a database.
func (p *place) open(who, path string) *spanner.Client {
	made := must(spanner.NewClientWithConfig(context.Background(), path, spanner.ClientConfig{DisableNativeMetrics: true}, p.options(who)...))
	p.made = append(p.made, made)
	return made
}

func (p *place) as(who string) *spanner.Client { return p.open(who, p.path()) }

func (p *place) close() {
	for _, made := range p.made {
		made.Close()
	}
	check(p.admin.Close())
}

func quick(began time.Time) bool { return time.Since(began) < 5*time.Second }

func main() {
	here := &place{}
	check(json.NewDecoder(os.Stdin).Decode(&here.question))
	here.admin = must(database.NewDatabaseAdminClient(context.Background(), here.options("admin")...))
	runCases(cases, here)
	here.close()
}
