#!/usr/bin/env node
// Refresh the screens' third-party files (a developer's step; needs Node and a package registry).
//
// Each package is pinned by version and integrity. Its files are copied byte for byte, with no build step, and
// `vendor.json` lists the SHA-256 of every copy: `tests/screens/test_vendor.py` checks them without a network.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const TARGET = fileURLToPath(new URL("../flowmon/feed/screens/js/vendor/", import.meta.url));

// `into` keeps the folder layout lit-html's relative imports expect.
const PACKAGES = [
  {
    name: "lit-html",
    version: "3.3.3",
    licence: "BSD-3-Clause",
    into: "lit-html",
    files: ["LICENSE", "lit-html.js", "directive.js", "directive-helpers.js", "directives/repeat.js", "directives/live.js"],
  },
  {
    name: "uplot",
    version: "1.6.32",
    licence: "MIT",
    into: "uplot",
    files: ["LICENSE", "dist/uPlot.esm.js", "dist/uPlot.min.css"],
  },
  {
    name: "@fontsource-variable/inter",
    version: "5.3.0",
    licence: "OFL-1.1",
    into: "inter",
    files: ["LICENSE", "files/inter-latin-wght-normal.woff2"],
  },
];

const digest = (bytes) => createHash("sha256").update(bytes).digest("hex");

function fetchPackage(pack, folder) {
  const out = execFileSync("npm", ["pack", "--json", `${pack.name}@${pack.version}`], { cwd: folder, encoding: "utf8" });
  const [{ filename, integrity }] = JSON.parse(out);
  if (pack.integrity && pack.integrity !== integrity) throw new Error(`${pack.name}: integrity is ${integrity}, pinned is ${pack.integrity}`);
  execFileSync("tar", ["xzf", filename], { cwd: folder });
  return { integrity, root: join(folder, "package") };
}

const pinned = JSON.parse(readFileSync(join(TARGET, "vendor.json"), { encoding: "utf8", flag: "a+" }) || '{"packages":[]}');
const manifest = { packages: [], sha256: {} };
for (const pack of PACKAGES) {
  const before = pinned.packages.find((p) => p.name === pack.name && p.version === pack.version);
  const folder = mkdtempSync(join(tmpdir(), "vendor-"));
  try {
    const { integrity, root } = fetchPackage({ ...pack, integrity: before?.integrity }, folder);
    manifest.packages.push({ name: pack.name, version: pack.version, licence: pack.licence, integrity });
    for (const file of pack.files) {
      const copy = `${pack.into}/${file.replace(/^(dist|files)\//, "")}`;
      mkdirSync(dirname(join(TARGET, copy)), { recursive: true });
      cpSync(join(root, file), join(TARGET, copy));
      manifest.sha256[copy] = digest(readFileSync(join(TARGET, copy)));
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}
writeFileSync(join(TARGET, "vendor.json"), `${JSON.stringify(manifest, null, 2)}\n`);
console.log(`${Object.keys(manifest.sha256).length} files under ${TARGET}`);
