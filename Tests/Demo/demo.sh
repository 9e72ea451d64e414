#!/bin/sh
# The main job on a real vSphere API: four endpoints onboarded, synced at once, every address placed or explained.
# Needs WIRELOOM and VCENTER, the two binaries. Leaves no process behind; its database stays in WIRELOOM_HOME.
set -eu

here=$(cd "$(dirname "$0")/.." && pwd)
scenarios=$here/Support/vcenter/scenarios/demo
: "${WIRELOOM:?the wireloom binary}" "${VCENTER:?the vcenter binary}"
work=$(mktemp -d "${TMPDIR:-/tmp}/wireloom-demo.XXXXXX")
keep=${WIRELOOM_DEMO_HOME:-}
export WIRELOOM_HOME="${keep:-$work/home}"
unset WIRELOOM_DATABASE_URL || true
if [ "$(id -u)" = 0 ]; then chmod 711 "$work"; fi

finish() {
    status=$?
    trap - EXIT INT TERM
    for pid in $(cat "$work"/*.pid 2>/dev/null); do kill "$pid" 2>/dev/null || true; done
    wait 2>/dev/null || true
    rm -rf "$work"
    exit $status
}
trap finish EXIT
trap 'exit 130' INT TERM

if [ -t 1 ]; then bold=$(printf '\033[1m') plain=$(printf '\033[0m'); else bold='' plain=''; fi
say() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
run() {
    printf '$ wireloom'
    for word in "$@"; do case $word in *' '*) printf ' "%s"' "$word" ;; *) printf ' %s' "$word" ;; esac; done
    printf '\n'
    "$WIRELOOM" "$@"
}
field() { sed -n "s/.*\"$2\":\"\\([^\"]*\\)\".*/\\1/p" "$work/$1.json"; }

say "Three vCenters and an ESXi host start (govmomi's simulator, one process each)"
for name in paris lyon tokyo lab-esxi; do
    "$VCENTER" -scenario "$scenarios/$name.json" >"$work/$name.json" 2>"$work/$name.log" &
    echo $! >"$work/$name.pid"
done
for name in paris lyon tokyo lab-esxi; do
    tries=0
    until [ -s "$work/$name.json" ]; do
        tries=$((tries + 1))
        if [ $tries -gt 300 ]; then cat "$work/$name.log"; echo "demo: $name did not start" >&2; exit 1; fi
        sleep 0.1
    done
    echo "$name at $(field $name url)"
done

say "An operator configures the networks that are known in advance"
run wire create campus --site france
run wire create depot-a --site france
run wire create depot-b --site france
run wire create tokyo-core --site tokyo
subnet() { run subnet create "$@"; }
subnet campus-management --wire campus --cidr 10.10.0.0/24 --vlan 10 --gateway 10.10.0.1
subnet campus-vmotion --wire campus --cidr 10.15.0.0/24 --vlan 15
subnet campus-servers --wire campus --cidr 10.20.0.0/24 --vlan 20 --gateway 10.20.0.1 --pool 10.20.0.128-10.20.0.191
subnet campus-servers-v6 --wire campus --cidr 2001:db8:20::/64 --vlan 20 --gateway 2001:db8:20::1
subnet campus-apps --wire campus --cidr 10.30.0.0/23 --vlan 30 --gateway 10.30.0.1 --pool 10.30.1.128-10.30.1.191
subnet campus-test-40 --wire campus --cidr 10.40.0.0/24 --vlan 40
subnet campus-test-41 --wire campus --cidr 10.40.0.0/24 --vlan 41
subnet campus-dmz --wire campus --cidr 10.60.0.0/24 --vlan 60 --gateway 10.60.0.1
subnet depot-a --wire depot-a --cidr 10.50.0.0/24 --vlan 50 --gateway 10.50.0.1
subnet depot-b --wire depot-b --cidr 10.50.0.0/24 --vlan 50 --gateway 10.50.0.1
subnet tokyo-management --wire tokyo-core --cidr 10.10.0.0/24 --vlan 10 --gateway 10.10.0.1
subnet tokyo-servers --wire tokyo-core --cidr 10.20.0.0/24 --vlan 20 --gateway 10.20.0.1 --pool 10.20.0.128-10.20.0.191
subnet tokyo-apps --wire tokyo-core --cidr 10.30.0.0/23 --vlan 30 --gateway 10.30.0.1

say "The accounts are onboarded; each certificate is pinned by its thumbprint"
add() {
    name=$1
    shift
    printf '$ wireloom account add %s --url %s ...\n' "$name" "$(field "$name" url)"
    field "$name" password | "$WIRELOOM" account add "$name" --url "$(field "$name" url)" \
        --username "$(field "$name" username)" --password-stdin --thumbprint "$(field "$name" thumbprint)" "$@"
}
add paris --site france
add lyon --site france
add tokyo --site tokyo
add lab-esxi

say "All accounts sync at once"
run sync --all --wait

say "What ran"
run job list

say "Wires and subnets: configured, and found where nothing was"
run wire list
run subnet list

say "Where the switches are"
run switch list

say "Virtual machines and their addresses"
run vm list

say "What belongs nowhere yet, why, and the command that mends it"
run vm list --unplaced

say "Why one of them is so"
run explain ip 10.20.0.12

say "An address for something new, which nobody else can be given"
run ip allocate campus-servers --owner "build 42" --key build-42
run ip allocate campus-servers --owner "build 42" --key build-42
run ip history 10.20.0.128

say "A VM from a template: the plan, the VM, and its address where it belongs"
run vm create web-9 --account paris --template template-debian --subnet campus-servers --dry-run
run vm create web-9 --account paris --template template-debian --subnet campus-servers --wait
run ip find web-9
run explain vm web-9

say "One screen"
run status

if [ -n "$keep" ]; then
    say "To go on with this database: export WIRELOOM_HOME=$keep"
else
    say "Done. To keep the database and go on with it: make demo WIRELOOM_DEMO_HOME=\$HOME/.wireloom-demo"
fi
