// node build.mjs OUT: one module that a person can read. ComfyUI's own scripts stay imports, which its server answers.
import { build } from "esbuild";

await build({
  entryPoints: [new URL("src/main.ts", import.meta.url).pathname],
  outfile: process.argv[2],
  bundle: true,
  charset: "utf8",
  format: "esm",
  target: "es2022",
  external: ["../../scripts/app.js", "../../scripts/api.js"],
  legalComments: "none",
  banner: { js: "// Built from web_src/ by `npm run build`. Do not edit." },
  logLevel: "warning",
});
