// Bundles assets/pages/*.ts (each with the styles it imports) and assets/css/main.css into
// nodeward/web/static/dist, under names made from their content, and writes manifest.json: name → file.
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { basename, join, relative } from "node:path";
import { context } from "esbuild";

const dist = "nodeward/web/static/dist";

async function entries() {
  const pages = (await readdir("assets/pages")).filter((name) => name.endsWith(".ts"));
  return Object.fromEntries([
    ...pages.map((name) => [`pages/${basename(name, ".ts")}`, join("assets/pages", name)]),
    ["main", "assets/css/main.css"],
  ]);
}

const manifest = {
  name: "manifest",
  setup(build) {
    build.onEnd(async ({ metafile, errors }) => {
      if (errors.length) return;
      const names = {};
      for (const [file, output] of Object.entries(metafile.outputs)) {
        if (!output.entryPoint) continue;
        const kind = file.endsWith(".css") ? "css" : "js";
        const name = relative("assets", output.entryPoint)
          .replace(/^css\//, "")
          .replace(/\.(ts|css)$/, `.${kind}`);
        names[name] = relative(dist, file);
        if (output.cssBundle) names[name.replace(/\.js$/, ".css")] = relative(dist, output.cssBundle);
      }
      await writeFile(join(dist, "manifest.json"), `${JSON.stringify(names, null, 2)}\n`);
    });
  },
};

await rm(dist, { recursive: true, force: true });
await mkdir(dist, { recursive: true });
const build = await context({
  entryPoints: await entries(),
  bundle: true,
  splitting: true,
  format: "esm",
  target: ["chrome123", "firefox121", "safari17.5"],
  outdir: dist,
  entryNames: "[dir]/[name]-[hash]",
  chunkNames: "chunks/[name]-[hash]",
  assetNames: "fonts/[name]-[hash]",
  loader: { ".woff2": "file" },
  minify: true,
  sourcemap: true,
  metafile: true,
  logLevel: "info",
  plugins: [manifest],
});
if (process.argv.includes("--watch")) await build.watch();
else {
  await build.rebuild();
  await build.dispose();
}
