# Writes the page once, then serves it.
mkdir -p /srv
printf '%s' "$PREVIEWBOT_COMMIT" > /srv/commit.txt
greeting=$(cat /app/greeting.txt)
short=$(printf '%.7s' "$PREVIEWBOT_COMMIT")
sed -e "s|GREETING|$greeting|" -e "s|COMMIT|$short|" -e "s|NUMBER|$PREVIEWBOT_PULL_REQUEST|" /app/page.html > /srv/index.html
exec httpd -f -p "$PORT" -h /srv
