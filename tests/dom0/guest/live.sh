# What steps can say of a `check --wait` and of a `watch`, which run beside them.

# hundredths of a second since the boot
clock() { read -r now _ </proc/uptime; now=${now%.*}${now#*.}; }
seconds() { echo "$(($1 / 100)).$(printf '%02d' $(($1 % 100)))"; }

# `background NAME COMMAND...`: what comes of it is in /out/NAME.*; returns when it listens, or has ended already.
background() {
    name=$1; shift
    {
        clock; began=$now rc=0
        "$@" 2>"/out/$name.stderr" & echo $! >"/run/$name.pid"
        wait $! || rc=$?
        clock; echo "$began $now" >"/out/$name.times"
        echo "$rc" >"/out/$name.exit"
    } &
    echo $! >"/run/$name.job"
    listening "$name"
}

# A command has read all there was when both its threads wait in poll(2) or ppoll(2): the first waits for signals and for
# the second from the beginning, and the second does the work.
listening() (
    { set +x; } 2>/dev/null
    for _ in $(seq 600); do
        [ ! -e "/out/$1.exit" ] || exit 0
        polling=$(cat /proc/"$(cat "/run/$1.pid")"/task/*/syscall 2>/dev/null | grep -Ec '^(7|271) ') || :
        [ "$polling" -lt 2 ] || exit 0
        sleep 0.1
    done
    echo "dom0: $1 does not listen after 60 s"; exit 1
)

# `audit_start NAME ARGUMENT...` and `audit_wait NAME`: an `audit` that the steps do not wait for in between.
audit_start() { audit_as=$1; shift; background "$audit_as" pciback-audit check --format json $ignore --output "/out/$audit_as.json" "$@"; }
audit_wait() {
    clock; asked=$now
    wait "$(cat "/run/$1.job")"
    read -r began ended <"/out/$1.times"
    late=$((ended > asked ? ended - asked : 0))
    echo "$((ended - began)) $late" >"/out/$1.took"
    echo "dom0: $1 took $(seconds $((ended - began))) s, and ended $(seconds $late) s after it was waited for"
}

# `still NAME [SECONDS]`: it has not ended, nor does it within so many seconds.
still() {
    sleep "${2:-0}"
    [ ! -e "/out/$1.exit" ] || { echo "dom0: $1 ended too early"; return 1; }
}

# `watch_start NAME ARGUMENT...` and `watch_stop NAME`: its events are held against the part `--- NAME`. With
# `folder=PATH` before it they are written there.
watch_start() {
    watch_as=$1; shift
    echo 0 >"/run/$watch_as.seen"
    ln -s "${folder:-/out}" "/run/$watch_as.folder"
    background "$watch_as" pciback-audit watch --json $ignore --output "/run/$watch_as.folder/$watch_as.events" "$@"
}
signal() { kill "-$2" "$(cat "/run/$1.pid")"; }
watch_stop() {
    signal "$1" TERM
    wait "$(cat "/run/$1.job")"
    keep_events "$1"
}
keep_events() { [ -e "/out/$1.events" ] || cp "/run/$1.folder/$1.events" "/out/"; }

# `told NAME SECONDS KIND [WORD...]`: waits for the next such event behind the one that was waited for last, an
# address or a driver or a verdict among its values, and fails when it does not come within so many seconds.
told() {
    told_by=$1 limit=$2 wanted="$3 $4 $5" seen=$(cat "/run/$1.seen")
    shift 2
    set -- "\"kind\":\"$1\"" ${2:+"\"$(value "$2")\""} ${3:+"\"$(value "$3")\""}
    found=$(await "/run/$told_by.folder/$told_by.events" "$seen" "$limit" "$@") || {
        echo "dom0: $told_by did not tell $wanted in $limit s"; return 1
    }
    echo "${found% *}" >"/run/$told_by.seen"
    echo "dom0: $told_by told $wanted after ${found#* } ms"
}
value() { case $1 in *.*) long "$1" ;; *) echo "$1" ;; esac; }

# `rotate NAME`: puts its file away as /out/NAME.old and has it begin a new one.
rotate() {
    mv "/out/$1.events" "/out/$1.old"
    echo 0 >"/run/$1.seen"
    signal "$1" HUP
}

# `memory NAME`: what it holds of the machine's memory now; all such numbers of a watch are judged together.
memory() {
    grep VmRSS "/proc/$(cat "/run/$1.pid")/status" | tr -dc '0-9\n' | tee -a "/out/$1.memory"
}

# The sequence numbers of the oldest and of the newest record in the ring.
oldest() { snapshot kmsg | head -n 1 | cut -d, -f2; }
newest() { snapshot kmsg | grep '^[0-9]' | tail -n 1 | cut -d, -f2; }

# `metric FILE NAME`: a number out of a file of metrics.
metric() { grep "^pciback_audit_$2 " "$1" | cut -d' ' -f2; }

# `appears FILE`: waits until it is there, and not empty.
appears() { await "$1" 0 30 '' || { echo "dom0: $1 does not appear"; return 1; }; }

# What a failed step left running would keep the steps' output open, and the boot from ending.
end_background() {
    for file in /run/*.pid; do [ ! -e "$file" ] || kill -KILL "$(cat "$file")" 2>/dev/null; done
    wait
    for file in /run/*.folder; do [ ! -e "$file" ] || keep_events "$(basename "$file" .folder)"; done
}
