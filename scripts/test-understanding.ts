// `npm run test:understanding`: what rules see inside of requests, beside what others make of the same: parsers of other languages, the client and
// server of MCP's own SDK, clients and servers of GraphQL that people use, and the SDKs of services of models. They are used here alone, so they
// come from npm for this command, and nothing is installed in the checkout. `UNDERSTANDING_TOOLS=FOLDER` keeps it there for the next time.

import { spawnSync } from 'node:child_process';
import { existsSync, globSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { fetchPackages } from './fetch-packages.ts';
import { testEnvironment } from './test-environment.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const fetchTimeoutMs = 300_000;
const packages = [
  '@modelcontextprotocol/sdk@1.32.2',
  '@modelcontextprotocol/conformance@0.1.16',
  '@apollo/client@4.3.8',
  '@apollo/server@5.5.1',
  '@graphql-yoga/plugin-apq@3.6.2',
  '@urql/core@6.0.3',
  'graphql@16.15.0',
  'graphql-http@1.23.1',
  'graphql-request@7.4.0',
  'graphql-sse@2.6.1',
  'graphql-ws@6.4.2',
  'graphql-yoga@5.24.1',
  'rxjs@7.8.2',
  'subscriptions-transport-ws@0.11.0',
  'openai@7.57.0',
  '@anthropic-ai/sdk@1.14.0',
  '@google/genai@3.3.0',
  '@aws-sdk/client-bedrock-runtime@3.1164.0',
];

function main(): boolean {
  const kept = process.env['UNDERSTANDING_TOOLS'];
  const folder = kept ?? mkdtempSync(join(tmpdir(), 'upstreamproxy-understanding-'));
  mkdirSync(folder, { recursive: true });
  try {
    const problem = existsSync(join(folder, 'node_modules'))
      ? undefined
      : fetchPackages(folder, packages, fetchTimeoutMs);
    if (problem !== undefined) console.log(`﹣ the SDKs cannot be fetched, and their tests skip: ${problem}`);
    const own = [
      'inspected-body',
      'list-filter',
      'model-calls',
      'pinned-tools',
      'graphql',
      'graphql-websocket',
      'server-questions',
      'learned-ids',
    ].map((name) => `test/gateway/exchange/${name}.test.ts`);
    const files = [...globSync('test/understand/*.test.ts', { cwd: root }).sort(), ...own];
    const leaks = globSync('test/gateway/{leaks/*,exchange/leaks*,exchange/response-screen}.test.ts', {
      cwd: root,
    });
    const tools = problem === undefined ? { TEST_UNDERSTANDING: folder } : {};
    const env = { ...testEnvironment(process.env), ...tools };
    const args = [
      '--disable-warning=ExperimentalWarning',
      '--test',
      '--test-concurrency=2',
      ...files,
      ...leaks,
    ];
    return spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit', env }).status === 0;
  } finally {
    if (kept === undefined) rmSync(folder, { recursive: true, force: true });
  }
}

if (!main()) process.exitCode = 1;
