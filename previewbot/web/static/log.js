// Adds what the build says while it runs, and stays at the end if the reader is there.
const box = document.getElementById("log");
if (box && box.dataset.live) {
  const source = new EventSource(`${location.pathname}/stream?from=${box.dataset.size}`);
  source.onmessage = (event) => {
    const follows = innerHeight + scrollY >= document.body.scrollHeight - 40;
    box.append(event.data);
    if (follows) scrollTo(0, document.body.scrollHeight);
  };
  source.addEventListener("end", () => { source.close(); location.reload(); });
}
