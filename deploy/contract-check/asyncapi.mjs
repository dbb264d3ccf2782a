// Reads an AsyncAPI document with the official parser; prints what it says, and fails where it finds a fault.
import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";

const ERROR = 0;
const [file] = process.argv.slice(2);
const { document, diagnostics } = await new Parser().parse(readFileSync(file, "utf8"));
for (const { severity, path, message } of diagnostics) {
  console.error(`${severity === ERROR ? "error" : "note"}: /${path.join("/")}: ${message}`);
}
if (!document || diagnostics.some(({ severity }) => severity === ERROR)) {
  process.exit(1);
}
console.log(`${file}: ${document.channels().length} channels, ${document.allMessages().length} messages`);
