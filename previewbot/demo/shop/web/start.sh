# Writes the page once, then serves it. It runs as nobody special, so it writes where everybody may.
site=/tmp/site
mkdir -p $site
cp -r /app/cgi-bin $site/
printf '%s' "$PREVIEWBOT_COMMIT" > $site/commit.txt
greeting=$(cat /app/greeting.txt)
short=$(printf '%.7s' "$PREVIEWBOT_COMMIT")
sed -e "s|GREETING|$greeting|" -e "s|COMMIT|$short|" -e "s|NUMBER|$PREVIEWBOT_PULL_REQUEST|" /app/page.html > $site/index.html
exec httpd -f -p "$PORT" -h $site
