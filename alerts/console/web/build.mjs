// Bundles the page into dist/: index.html, which is never cached, and assets whose names change with what is in them.
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const dist = join(here, "dist");

await rm(dist, { recursive: true, force: true });
await mkdir(dist, { recursive: true });
const result = await build({
  absWorkingDir: here,
  entryPoints: ["src/main.tsx", "src/style.css"],
  entryNames: "[name]-[hash]",
  outdir: "dist/assets",
  bundle: true,
  minify: true,
  format: "esm",
  target: ["chrome111", "firefox115", "safari16.4"],
  jsx: "automatic",
  jsxImportSource: "preact",
  legalComments: "linked",
  metafile: true,
  logLevel: "warning",
});
const outputs = Object.keys(result.metafile.outputs).map((path) => basename(path));
const named = (pattern) => {
  const found = outputs.filter((name) => pattern.test(name));
  if (found.length !== 1) throw new Error(`expected one file like ${pattern}, got ${outputs.join(", ")}`);
  return `/assets/${found[0]}`;
};
const template = await readFile(join(here, "src/index.html"), "utf8");
const page = template.replace("%SCRIPT%", named(/^main-\w+\.js$/)).replace("%STYLE%", named(/^style-\w+\.css$/));
await writeFile(join(dist, "index.html"), page);
