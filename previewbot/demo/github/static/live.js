// Replaces the conversation whenever something happens, unless the reader has it open for writing.
const live = document.getElementById("live");
const source = new EventSource(`${location.pathname}/live`);
source.onmessage = (event) => {
  const open = live.querySelector("details")?.open;
  live.innerHTML = event.data;
  if (open) live.querySelector("details").open = true;
};
