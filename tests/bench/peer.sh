#!/bin/bash
# Sallyport as a peer of the comparison kit: copy to peers/sallyport/peer.sh there (tests/bench/run does).
# peer.sh setup|start MODE|stop|wipe|list|count|spool   MODE: hold relay dead
# SALLYPORT_BUILD: the build directory.  As root the roles become `daemon`, which every Debian has, or
# SALLYPORT_USER, each in its sandbox.
. "$(dirname "$0")/../common.sh"
D=$BT/sallyport
B=${SALLYPORT_BUILD:?the build directory}
case $1 in
setup) [ -x "$B/sallyportd" ] ;;
start)
  mkdir -p "$D"; chmod 755 "$BT" "$D"
  RP=$SINK_PORT; [ "$2" = relay ] || RP=$DEAD_PORT
  cat > "$D/sallyport.cfg" <<EOF
hostname = "mail.bench.test";
user = "${SALLYPORT_USER:-daemon}";
listen: ( { address = "127.0.0.1"; port = $SPORT; tls = "implicit"; },
          { address = "127.0.0.1"; port = $PORT; tls = "starttls"; } );
tls: { certificate = "$BT/cert.pem"; private_key = "$BT/key.pem"; };
domains: ( { name = "bench.test"; } );
auth: { backends = ( "users" ); };
limits: { per_user = "100000000 recipients / 1h"; sessions_per_client = 20000; };
routes: ( { via = "smtp"; host = "127.0.0.1"; port = $RP; allow_private = true; tls = "none"; } );
queue: { directory = "$D/spool"; minimum_free = "1%"; destination_concurrency = 20; };
state_directory = "$D/state";
run_directory = "$D/run";
log: { target = "file:$D/log"; };
EOF
  : > "$D/out"
  in_cg "$B/sallyportd" -c "$D/sallyport.cfg" > "$D/out" 2>&1 &
  echo $! > "$D/pid"
  wait_port $PORT || { cat "$D/out" "$D/log" >&2; exit 1; }
  for i in $(seq 1 50); do "$B/sallyport" -c "$D/sallyport.cfg" user list > "$D/users" 2>/dev/null && break; sleep 0.1; done
  grep -q bench "$D/users" || printf '%s\n' $PASS_ | "$B/sallyport" -c "$D/sallyport.cfg" user add $USER_ --password-stdin ;;
stop) [ -f "$D/pid" ] && kill "$(cat "$D/pid")" 2>/dev/null; for i in $(seq 1 100); do [ "$(nprocs)" = 0 ] && break; sleep 0.1; done; cg_stop ;;
wipe) rm -rf "$D" ;;
list) "$B/sallyport" -c "$D/sallyport.cfg" queue list ;;
count) "$B/sallyport" -c "$D/sallyport.cfg" queue list --quiet 2>/dev/null | wc -l ;;
spool) echo "$D/spool" ;;
esac
