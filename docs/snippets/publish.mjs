// Publish one event: node publish.mjs event.json.  Node 18 or later, nothing to install.
//
// CARE_URL is the door, CARE_KEY the key where it asks for one.  Exit codes: 0 accepted, 1 refused (do not send
// it again unchanged), 75 no answer that settles it (send the same file again later: the id is in it).
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

const env = process.env;
const url = (env.CARE_URL ?? "http://127.0.0.1:8080").replace(/\/+$/, "") + "/v1/events";
const attempts = Number(env.CARE_ATTEMPTS ?? 10);
const backoffSeconds = Number(env.CARE_BACKOFF_SECONDS ?? 0.5);
const timeoutSeconds = Number(env.CARE_TIMEOUT_SECONDS ?? 15);
const LONGEST_SECONDS = 60;

// Returns status (0: no answer came), body, and the seconds the door wants to be left alone.
async function send(body) {
  const headers = { "content-type": "application/cloudevents+json" };
  if (env.CARE_KEY) headers.authorization = `Bearer ${env.CARE_KEY}`;
  try {
    const signal = AbortSignal.timeout(timeoutSeconds * 1000);
    const answer = await fetch(url, { method: "POST", headers, body, signal });
    const wait = answer.headers.get("retry-after") ?? "";
    return [answer.status, await answer.text(), /^\d+$/.test(wait) ? Number(wait) : 0];
  } catch (error) {
    return [0, error.name, 0]; // Refused, timed out, or broken off: it may have been taken.
  }
}

// Sends until it is settled; what is sent again is the same, under the same id.
async function publish(body) {
  let last = 0;
  for (let attempt = 0; attempt < attempts; attempt++) {
    const [status, told, wait] = await send(body);
    last = status || told;
    if (status >= 200 && status < 300) {
      console.log(told);
      return 0;
    }
    if (status >= 400 && status < 500 && status !== 408 && status !== 429) {
      console.error(`refused (${status}): ${told}`);
      return 1;
    }
    const backoff = Math.min(backoffSeconds * 2 ** attempt, LONGEST_SECONDS);
    // As long as it asks for, and a little by chance: publishers must not come back all at once.
    if (attempt + 1 < attempts) {
      await sleep((Math.min(wait, LONGEST_SECONDS) + Math.random() * backoff) * 1000);
    }
  }
  console.error(`not settled after ${attempts} attempts (${last})`);
  return 75;
}

if (process.argv.length !== 3) {
  console.error("usage: node publish.mjs event.json");
  process.exit(2);
}
process.exitCode = await publish(readFileSync(process.argv[2]));
