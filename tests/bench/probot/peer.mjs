// The peer: Probot with one handler that does nothing. It acknowledges in memory.
import { createServer } from "node:http";
import { createNodeMiddleware, createProbot } from "probot";

const app = (robot) => robot.on("pull_request", async () => {});
const probot = createProbot({
  overrides: { appId: 1, privateKey: process.env.PEER_KEY, secret: process.env.PEER_SECRET, logLevel: "fatal" },
});
const middleware = await createNodeMiddleware(app, { probot, webhooksPath: "/webhook" });
createServer(middleware).listen(Number(process.env.PEER_PORT), "127.0.0.1");
