// Package main starts a DVID server with the data types that emseg reads and writes.
//
// It joins the released module github.com/janelia-flyem/dvid as its own cmd/dvid does, with four differences: the log
// store "filelog" is linked in (labelmap needs it, and the badger build leaves it out), only the data types below are
// known, no debug port is opened on other interfaces, and the stores are closed on SIGTERM.
//
// Use: dvid <configuration.toml>. Exit status 0 after SIGTERM or SIGINT, 1 when it cannot start.
package main

import (
	"fmt"
	"log"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/janelia-flyem/dvid/datastore"
	"github.com/janelia-flyem/dvid/dvid"
	"github.com/janelia-flyem/dvid/server"
	"github.com/janelia-flyem/dvid/storage"

	_ "github.com/janelia-flyem/dvid/datatype/annotation"
	_ "github.com/janelia-flyem/dvid/datatype/imageblk"
	_ "github.com/janelia-flyem/dvid/datatype/keyvalue"
	_ "github.com/janelia-flyem/dvid/datatype/labelmap"
	_ "github.com/janelia-flyem/dvid/datatype/roi"
	_ "github.com/janelia-flyem/dvid/storage/badger"
	_ "github.com/janelia-flyem/dvid/storage/filelog"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("use: dvid <configuration.toml>")
	}
	dvid.NumCPU = runtime.NumCPU()
	if err := open(os.Args[1]); err != nil {
		log.Fatal(err)
	}
	shutdownOnSignal()
	server.Serve()
	storage.Shutdown()
}

// open reads the configuration and opens the stores it names; mappings and logs are in memory when it returns.
func open(configuration string) error {
	if err := server.LoadConfig(configuration); err != nil {
		return fmt.Errorf("reading configuration %s: %w", configuration, err)
	}
	if err := server.Initialize(); err != nil {
		return fmt.Errorf("preparing the server: %w", err)
	}
	backend, err := server.InitBackend()
	if err != nil {
		return fmt.Errorf("reading the stores of %s: %w", configuration, err)
	}
	types := make(map[dvid.TypeString]struct{}, len(datastore.Compiled))
	for _, compiled := range datastore.Compiled {
		types[compiled.GetTypeName()] = struct{}{}
	}
	created, err := storage.Initialize(dvid.Config{}, backend, types)
	if err != nil {
		return fmt.Errorf("opening the stores: %w", err)
	}
	if err := datastore.Initialize(created, server.DatastoreConfig()); err != nil {
		return fmt.Errorf("opening the repositories: %w", err)
	}
	return nil
}

// shutdownOnSignal lets open requests end (shutdownDelay of the configuration) and then makes server.Serve return.
func shutdownOnSignal() {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	go func() {
		log.Printf("%s: shutting down", <-stop)
		server.Shutdown()
	}()
}
