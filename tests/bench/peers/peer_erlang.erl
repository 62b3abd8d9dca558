%% SPDX-License-Identifier: BSD-3-Clause
%% The workloads of bench.cpp in Erlang: peer_erlang:main([Test]).
-module(peer_erlang).
-export([main/1, init/1]).

main([Test]) ->
  run(Test),
  halt().

%% In steps of 10 ms.
cpu() ->
  {ok, Text} = file:read_file("/proc/self/stat"),
  Fields = string:tokens(lists:last(string:split(binary_to_list(Text), ")", trailing)), " "),
  (list_to_integer(lists:nth(12, Fields)) + list_to_integer(lists:nth(13, Fields))) * 1.0e7.

start() -> {erlang:monotonic_time(nanosecond), cpu()}.

report(Test, {Wall, Cpu}, N) ->
  io:format("~s\terlang\t~.1f\t~.1f~n",
            [Test, (erlang:monotonic_time(nanosecond) - Wall) / N, (cpu() - Cpu) / N]).

resident() ->
  {ok, Text} = file:read_file("/proc/self/statm"),
  list_to_integer(lists:nth(2, string:tokens(binary_to_list(Text), " "))) * 4096.

join(Children) ->
  [receive {'DOWN', Ref, process, _, _} -> ok end || {_, Ref} <- Children].

spawn_batches(0, _) -> ok;
spawn_batches(Left, Fun) ->
  join([spawn_monitor(Fun) || _ <- lists:seq(1, 1000)]),
  spawn_batches(Left - 1, Fun).

yield_often(0) -> ok;
yield_often(N) -> erlang:yield(), yield_often(N - 1).

pong() -> receive {From, Value} -> From ! Value, pong() end.

ping(_, N, N) -> ok;
ping(Pid, I, N) -> Pid ! {self(), I}, receive I -> ok end, ping(Pid, I + 1, N).

consume(N, N) -> ok;
consume(I, N) -> receive I -> consume(I + 1, N) end.

sleeper() -> receive stop -> ok after 3600000 -> ok end.

parked() -> receive stop -> ok end.

repeat(0, _) -> ok;
repeat(N, Fun) -> Fun(), repeat(N - 1, Fun).

memory(Test, Fun) ->
  N = 1000000,
  Before = resident(),
  repeat(N, fun() -> spawn(Fun) end),
  timer:sleep(500),
  io:format("~s\terlang\t~.1f\t0~n", [Test, (resident() - Before) / N]).

%% A supervisor whose child crashes, or returns, whenever it is started.
init({Main, Lives, Count, How}) ->
  Life = fun() ->
    Pid = spawn_link(fun() ->
      counters:add(Lives, 1, 1),
      case counters:get(Lives, 1) of
        Last when Last > Count -> Main ! done, receive stop -> ok end;
        _ when How == crash -> exit(crash);
        _ -> ok
      end
    end),
    {ok, Pid}
  end,
  {ok, {#{strategy => one_for_one, intensity => 1000000, period => 5},
        [#{id => child, start => {erlang, apply, [Life, []]}, restart => permanent}]}}.

%% Two hundred a supervisor, because it counts them one by one.
restarts(Test, How) ->
  logger:set_primary_config(level, none),
  process_flag(trap_exit, true),
  M = start(),
  repeat(500, fun() ->
    {ok, Supervisor} = supervisor:start_link(?MODULE, {self(), counters:new(1, []), 200, How}),
    receive done -> ok end,
    exit(Supervisor, shutdown),
    receive {'EXIT', Supervisor, _} -> ok end
  end),
  report(Test, M, 100000).

run("v1") -> restarts("v1", crash);
run("v2") -> restarts("v2", return);
run("1a") -> M = start(), spawn_batches(300, fun() -> ok end), report("1a", M, 300000);
run("1b") -> M = start(), spawn_batches(300, fun erlang:yield/0), report("1b", M, 300000);
run("2") ->
  M = start(),
  join([spawn_monitor(fun() -> yield_often(1000000) end) || _ <- [1, 2]]),
  report("2", M, 2000000);
run("2c") -> % what parks a process is an empty mailbox
  Pid = spawn(fun pong/0), M = start(), ping(Pid, 0, 500000), report("2c", M, 1000000);
run("3a") -> Pid = spawn(fun pong/0), M = start(), ping(Pid, 0, 500000), report("3a", M, 1000000);
run("3b") ->
  Me = self(), N = 500000, M = start(),
  spawn(fun() -> [Me ! I || I <- lists:seq(0, N - 1)] end),
  consume(0, N),
  report("3b", M, N);
run("4") ->
  N = 100000, M = start(),
  Children = [spawn_monitor(fun sleeper/0) || _ <- lists:seq(1, N)],
  report("4x", M, N),
  timer:sleep(300),
  M2 = start(),
  [exit(Pid, shutdown) || {Pid, _} <- Children],
  join(Children),
  report("4", M2, N);
run("5a") -> memory("5a", fun sleeper/0);
run("5b") -> memory("5b", fun parked/0).
