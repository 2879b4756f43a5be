// Command bench measures what one sign-in costs, on a real server in a process
// of its own, with every acknowledged sign-in on disk:
//
//	(a) complete sign-ins per second (options, finish, session, log row), and the
//	    server's processor time for each
//	(b) the same with an authorization code and an ES256 id_token
//	(c) raw P-256 verifications, in the same run, on the same machine
//
// Instead of sign-ins, -directory N measures what clients ask of a directory of
// N people (directory.go), -import N the import of N people by the command, and
// -provision N that of passkeys for N people (bulk.go).
//
// It prints the ratios: absolute times depend on the machine and its
// neighbours, ratios much less.
package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

func main() {
	workers := flag.Int("workers", 32, "parallel browsers")
	seconds := flag.Int("seconds", 8, "length of each part")
	people := flag.Int("people", 500, "people, a passkey each")
	dsn := flag.String("database", "", "postgres://… instead of SQLite")
	binary := flag.String("cardea", "bin/cardea", "the server")
	profileTo := flag.String("profile", "", "run the server in this process and write its processor profile to this file; no figures")
	directoryOf := flag.Int("directory", 0, "measure a directory of so many people instead of sign-ins")
	importOf := flag.Int("import", 0, "measure the import of so many people")
	provisionOf := flag.Int("provision", 0, "measure the provisioning of passkeys for so many people")
	only := flag.String("only", "", "with -directory: only the lines whose name holds this")
	flag.Parse()
	o := options{workers: *workers, length: time.Duration(*seconds) * time.Second, dsn: *dsn, binary: *binary, profile: *profileTo, only: *only}
	var err error
	switch {
	case *directoryOf > 0:
		err = measureDirectory(*directoryOf, o)
	case *importOf > 0:
		err = measureImport(*importOf, o)
	case *provisionOf > 0:
		err = measureProvision(*provisionOf, o)
	case o.profile != "":
		err = profile(*people, o)
	default:
		err = run(*people, o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// prepare makes the data of a server that is not started yet.
func prepare(people int, dsn string) (w *world, dir, port string, err error) {
	if dir, err = os.MkdirTemp("", "cardea-bench-"); err != nil {
		return nil, "", "", err
	}
	if port, err = freePort(); err != nil {
		return nil, dir, "", err
	}
	for k, v := range map[string]string{"CARDEA_DATA_DIR": dir, "CARDEA_LISTEN": "127.0.0.1:" + port, "CARDEA_DATABASE_URL": dsn} {
		os.Setenv(k, v)
	}
	w, err = populate(context.Background(), people, slog.New(slog.DiscardHandler))
	return w, dir, port, err
}

func run(people int, o options) error {
	world, dir, port, err := prepare(people, o.dsn)
	defer os.RemoveAll(dir)
	if err != nil {
		return fmt.Errorf("populating: %w", err)
	}
	server, err := start(o.binary, filepath.Join(dir, "log"), port)
	if err != nil {
		return err
	}
	defer server.stop()

	fmt.Printf("%s, %d workers on this machine too\n\n", o.machine(), o.workers)
	floor := verifications(2 * time.Second)
	a, err := measure(world, server, o.workers, o.length, signIn)
	if err != nil {
		return err
	}
	b, err := measure(world, server, o.workers, o.length, signInWithToken)
	if err != nil {
		return err
	}
	floor = (floor + verifications(2*time.Second)) / 2

	fmt.Printf("(c) raw P-256 verification          %8.1f µs CPU each, %7.0f /s on one core\n", floor, 1e6/floor)
	a.print("(a) sign-in", floor)
	b.print("(b) sign-in + ES256 id_token", floor)
	fmt.Printf("\nGoals: (a) at least 4,000 /s on four shared cores; server CPU of (a) at most 4.5 verifications.\n")
	return nil
}

// result is one measured part.
type result struct {
	n       int64
	wall    time.Duration
	cpu     time.Duration // of the server
	latency []time.Duration
}

func (r result) print(name string, floor float64) {
	each := float64(r.cpu.Microseconds()) / float64(r.n)
	at := func(p float64) float64 {
		return float64(r.latency[int(p*float64(len(r.latency)-1))].Microseconds()) / 1000
	}
	fmt.Printf("%-32s    %8.1f µs server CPU each = %.2f verifications; %6.0f /s; p50 %.1f ms, p95 %.1f ms, p99 %.1f ms\n",
		name, each, each/floor, float64(r.n)/r.wall.Seconds(), at(.5), at(.95), at(.99))
}

// measure lets workers run f against the server for a while, after a warm-up.
func measure(w *world, s *process, workers int, length time.Duration, f func(*browser, *person) error) (result, error) {
	var counting, stop atomic.Bool
	var wg sync.WaitGroup
	errs := make(chan error, workers)
	latencies := make([][]time.Duration, workers)
	for i := range workers {
		wg.Go(func() {
			b, err := newBrowser(w)
			if err != nil {
				errs <- err
				return
			}
			defer b.close()
			for n := i; !stop.Load(); n += workers {
				began := time.Now()
				if err := f(b, w.people[n%len(w.people)]); err != nil {
					errs <- err
					return
				}
				if counting.Load() {
					latencies[i] = append(latencies[i], time.Since(began))
				}
			}
		})
	}
	time.Sleep(length / 4)
	cpu, began := s.cpu(), time.Now()
	counting.Store(true)
	time.Sleep(length)
	counting.Store(false)
	r := result{wall: time.Since(began), cpu: s.cpu() - cpu}
	stop.Store(true)
	wg.Wait()
	select {
	case err := <-errs:
		return r, err
	default:
	}
	for _, l := range latencies {
		r.latency = append(r.latency, l...)
	}
	slices.Sort(r.latency)
	r.n = int64(len(r.latency))
	if r.n == 0 {
		return r, fmt.Errorf("no sign-in succeeded")
	}
	return r, nil
}

// verifications returns the processor time of one P-256 verification in µs.
func verifications(length time.Duration) float64 {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	sum := sha256.Sum256([]byte("floor"))
	sig, err := ecdsa.SignASN1(rand.Reader, key, sum[:])
	if err != nil {
		panic(err)
	}
	n := 0
	began := ownCPU()
	for end := time.Now().Add(length); time.Now().Before(end); n++ {
		if !ecdsa.VerifyASN1(&key.PublicKey, sum[:], sig) {
			panic("signature does not verify")
		}
	}
	return float64((ownCPU() - began).Microseconds()) / float64(n)
}

func ownCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// process is the server.
type process struct{ cmd *exec.Cmd }

func start(binary, log, port string) (*process, error) {
	out, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(binary, "serve")
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd}
	for range 200 {
		if c, err := net.Dial("tcp", "127.0.0.1:"+port); err == nil {
			return p, c.Close()
		}
		time.Sleep(50 * time.Millisecond)
	}
	p.stop()
	text, _ := os.ReadFile(log)
	return nil, fmt.Errorf("the server did not start:\n%s", text)
}

func (p *process) stop() {
	p.cmd.Process.Signal(os.Interrupt)
	p.cmd.Wait()
}

// cpu reads the processor time of the server so far.
func (p *process) cpu() time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		panic(err)
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	f := strings.Fields(after)
	ticks := func(i int) int64 { n, _ := strconv.ParseInt(f[i], 10, 64); return n }
	return time.Duration(ticks(11)+ticks(12)) * 10 * time.Millisecond // USER_HZ is 100
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}
