#!/bin/sh
# One night of one job, for cron: replay-nightly.sh JOB. It prints only if somebody has to act; cron mails that.
#
# Install: install -m 755 replay-nightly.sh /etc/replay/   (the crontab beside it calls it, and sets what is below)
# Zone:    cron uses one time zone, the machine's. "Yesterday" has to mean the same zone: at 02:30 in Tokyo, yesterday in UTC
#          is still one day earlier. ZONE names another zone, if cron runs in that (CRON_TZ of cronie). The job file's
#          `timezone` is for commands by hand; set it to the same zone.
set -u
job=$1
: "${REPLAY:=/opt/replay/bin/replay}" "${CONFIG:=/etc/replay/nightly.toml}"
: "${STATE:=/var/lib/replay}" "${LOGS:=/var/log/replay}" "${METRICS:=}"
: "${ZONE:=$(cat /etc/timezone 2>/dev/null || readlink /etc/localtime | sed -n 's|.*/zoneinfo/||p')}"
: "${ZONE:=UTC}"

log="$LOGS/$job.$(date +%F.%H%M).log"
"$REPLAY" run --config "$CONFIG" --job "$job" --date yesterday --timezone "$ZONE" --state-dir "$STATE" \
    ${METRICS:+--metrics-textfile "$METRICS"} >"$log" 2>&1
code=$?

# Left to the next chance, without a mail: 5, the broker is away, and 6, the run before is still going on (the lock is
# replay's own). Any other failure is mailed with the end of its log.
case $code in
0 | 5 | 6) ;;
*)
    echo "replay: job $job failed with exit code $code, see $log"
    tail -n 50 "$log"
    ;;
esac
exit $code
