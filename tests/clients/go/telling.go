// What a program of cases has in common: it reads one question as JSON on standard input, runs its cases in order and writes a line of
// JSON for each: {case, value} or {case, error}. A failed case stops nothing, nor does one that hangs.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/googleapis/gax-go/v2/apierror"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc/status"
)

const casePatience = 30 * time.Second

type object map[string]any

type testCase[place any] struct {
	name string
	work func(context.Context, place) any
}

// must makes a panic of a failure: a case is read as if nothing failed, and attempt makes an error of it again. Never in another goroutine.
func must[T any](value T, err error) T {
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func attempt(work func() any) (value any, err error) {
	defer func() {
		if failed := recover(); failed != nil {
			var ours bool
			if err, ours = failed.(error); !ours {
				err = fmt.Errorf("%v", failed)
			}
		}
	}()
	return work(), nil
}

func told(err error) object {
	said := status.Convert(err)
	told := object{"code": code.Code(said.Code()).String(), "message": said.Message()}
	var more *apierror.APIError
	if errors.As(err, &more) {
		told["reason"], told["domain"], told["metadata"] = more.Reason(), more.Domain(), more.Metadata()
	}
	return told
}

// refused is the error that was given; not to fail is a failure.
func refused(err error) object {
	if err == nil {
		panic(errors.New("it was not refused"))
	}
	return told(err)
}

func runCase[place any](one testCase[place], where place) object {
	ctx, cancel := context.WithTimeout(context.Background(), casePatience)
	defer cancel()
	began := time.Now()
	value, err := attempt(func() any { return one.work(ctx, where) })
	line := object{"case": one.name, "ms": time.Since(began).Milliseconds()}
	if err != nil {
		line["error"] = told(err)
	} else {
		line["value"] = value
	}
	return line
}

func runCases[place any](cases []testCase[place], where place) {
	out := json.NewEncoder(os.Stdout)
	for _, one := range cases {
		check(out.Encode(runCase(one, where)))
	}
}
