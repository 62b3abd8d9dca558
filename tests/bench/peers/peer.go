// SPDX-License-Identifier: BSD-3-Clause
// The workloads of bench.cpp, echo.cpp and chat.cpp in Go.
package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"
)

func cpu() float64 {
	var use syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &use)
	return float64(use.Utime.Nano() + use.Stime.Nano())
}

type meter struct {
	wall time.Time
	cpu  float64
}

func begin() meter { return meter{time.Now(), cpu()} }

func (m meter) report(test string, operations float64) {
	fmt.Printf("%s\tgo\t%.1f\t%.1f\n", test, float64(time.Since(m.wall))/operations, (cpu()-m.cpu)/operations)
}

func spawn(test string, yield bool) {
	m := begin()
	counter := 0
	for batch := 0; batch < 1000; batch++ {
		var group sync.WaitGroup
		group.Add(1000)
		for i := 0; i < 1000; i++ {
			go func() {
				if yield {
					runtime.Gosched()
				}
				counter++ // one processor: no race
				group.Done()
			}()
		}
		group.Wait()
	}
	m.report(test, 1e6)
}

func yields() {
	m := begin()
	var group sync.WaitGroup
	group.Add(2)
	for k := 0; k < 2; k++ {
		go func() {
			for i := 0; i < 2500000; i++ {
				runtime.Gosched()
			}
			group.Done()
		}()
	}
	group.Wait()
	m.report("2", 5e6)
}

func pingPong(test string, capacity, n int) {
	a, b := make(chan int, capacity), make(chan int, capacity)
	m := begin()
	go func() {
		for v := range a {
			b <- v
		}
	}()
	for i := 0; i < n; i++ {
		a <- i
		if <-b != i {
			panic("lost")
		}
	}
	m.report(test, 2*float64(n))
}

func oneWay() {
	const n = 2000000
	a := make(chan int, 1)
	m := begin()
	go func() {
		for i := 0; i < n; i++ {
			a <- i
		}
	}()
	for i := 0; i < n; i++ {
		if <-a != i {
			panic("lost")
		}
	}
	m.report("3b", n)
}

func cancelAll() {
	const n = 100000
	ctx, cancel := context.WithCancel(context.Background())
	var ended, ready sync.WaitGroup
	ended.Add(n)
	ready.Add(n)
	m := begin()
	for i := 0; i < n; i++ {
		go func() {
			defer ended.Done()
			timer := time.NewTimer(time.Hour)
			defer timer.Stop()
			ready.Done()
			select {
			case <-ctx.Done():
			case <-timer.C:
			}
		}()
	}
	ready.Wait()
	m.report("4x", n)
	time.Sleep(50 * time.Millisecond)
	m = begin()
	cancel()
	ended.Wait()
	m.report("4", n)
}

func resident() float64 {
	text, _ := os.ReadFile("/proc/self/statm")
	var total, pages float64
	fmt.Sscan(string(text), &total, &pages)
	return pages * float64(os.Getpagesize())
}

func memory(test string, asleep bool) {
	const n = 1000000
	before := resident()
	never := make(chan int)
	for i := 0; i < n; i++ {
		if asleep {
			go func() { time.Sleep(time.Hour) }()
		} else {
			go func() { <-never }()
		}
	}
	time.Sleep(500 * time.Millisecond)
	fmt.Printf("%s\tgo\t%.1f\t0\n", test, (resident()-before)/n)
}

func echo() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	for {
		peer, err := listener.Accept()
		if err != nil {
			panic(err)
		}
		go func() {
			defer peer.Close()
			buffer := make([]byte, 1024)
			for {
				n, err := peer.Read(buffer)
				if err != nil {
					return
				}
				if _, err = peer.Write(buffer[:n]); err != nil {
					return
				}
			}
		}()
	}
}

type job struct {
	value  int
	result chan int
}

// Four workers on a channel with room for a thousand jobs.
func workers() (chan job, *sync.WaitGroup) {
	jobs := make(chan job, 1000)
	var group sync.WaitGroup
	group.Add(4)
	for w := 0; w < 4; w++ {
		go func() {
			sum := 0
			for j := range jobs {
				if j.result != nil {
					j.result <- j.value + 1
				} else {
					sum += j.value + 1
				}
			}
			group.Done()
		}()
	}
	return jobs, &group
}

func handOver(test string) {
	n := 1000000
	jobs, group := workers()
	m := begin()
	for i := 0; i < n; i++ {
		jobs <- job{i, nil}
	}
	close(jobs)
	group.Wait()
	m.report(test, float64(n))
}

func ask() {
	n := 500000
	jobs, _ := workers()
	m := begin()
	for i := 0; i < n; i++ {
		result := make(chan int, 1)
		jobs <- job{i, result}
		if <-result != i+1 {
			panic("wrong")
		}
	}
	m.report("w2", float64(n))
}

// One room; each member has a goroutine that reads and one that writes what is in its queue. Who has
// too much in it is dropped.
func chat() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	var mutex sync.Mutex
	members := map[net.Conn]chan []byte{}
	for {
		peer, err := listener.Accept()
		if err != nil {
			panic(err)
		}
		go func() {
			defer peer.Close()
			in := bufio.NewScanner(peer)
			if !in.Scan() {
				return
			}
			name := in.Text()
			queue := make(chan []byte, 1000)
			go func() {
				for text := range queue {
					if _, err := peer.Write(text); err != nil {
						return
					}
				}
			}()
			mutex.Lock()
			members[peer] = queue
			mutex.Unlock()
			for in.Scan() {
				line := []byte(name + ": " + in.Text() + "\n")
				mutex.Lock()
				for other, to := range members {
					select {
					case to <- line:
					default:
						other.Close()
					}
				}
				mutex.Unlock()
			}
			mutex.Lock()
			delete(members, peer)
			close(queue)
			mutex.Unlock()
		}()
	}
}

func main() {
	switch test := os.Args[1]; test {
	case "1a", "1b":
		spawn(test, test == "1b")
	case "2":
		yields()
	case "2c", "2d": // what parks a goroutine is a channel
		pingPong(test, 0, 2500000)
	case "3a":
		pingPong(test, 1, 1000000)
	case "3b":
		oneWay()
	case "4":
		cancelAll()
	case "5a", "5b":
		memory(test, test == "5a")
	case "6":
		echo()
	case "w1", "w3":
		handOver(test)
	case "w2":
		ask()
	case "c1":
		chat()
	}
}
