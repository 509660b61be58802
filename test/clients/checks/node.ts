// Node: its own clients, by release.

import type { ClientCheck } from '../check.ts';

interface Release {
  readonly major: number;
  readonly file: string;
  readonly needsHook: boolean;
  readonly hasWebSocket: boolean;
}

const releases: readonly Release[] = [
  { major: 20, file: '@tools@/node20/node_modules/.bin/node', needsHook: true, hasWebSocket: false },
  { major: 22, file: '@tools@/node22/node_modules/.bin/node', needsHook: false, hasWebSocket: true },
  { major: 24, file: '@tools@/node24/node_modules/.bin/node', needsHook: false, hasWebSocket: true },
  { major: 26, file: '@node@', needsHook: false, hasWebSocket: true },
];

const scripts = {
  fetch: `fetch('@https:web@/hello').then((response) => response.text()).then((text) => console.log(text.trim()))`,
  https: `require('https').get('@https:web@/hello', (response) => response.pipe(process.stdout))`,
  http: `require('http').get('@http:web@/hello', (response) => response.pipe(process.stdout))`,
  // A second one too, when a connection to the origin stands. Nothing but a socket keeps the program from ending.
  websocket: `
    const open = () => {
      const socket = new WebSocket('@wss:web@/ws');
      socket.onerror = ({ error, message }) => { console.log(error ?? message); process.exit(1); };
      return socket;
    };
    const first = open();
    first.onmessage = () => first.close();
    first.onclose = () => {
      const second = open();
      const said = [];
      second.onopen = () => second.send('who?');
      second.onmessage = ({ data }) => {
        if (said.push(data) === 2) second.close();
      };
      second.onclose = () => console.log(said.length === 2 ? said[0] : 'broken off');
    };`,
};

function checksOf({ major, file, needsHook, hasWebSocket }: Release): ClientCheck[] {
  return Object.entries(scripts)
    .filter(([name]) => name !== 'websocket' || hasWebSocket)
    .map(([name, script]) => {
      const trust = name === 'http' ? '' : '; NODE_EXTRA_CA_CERTS';
      return {
        id: `node${major}-${name}`,
        client: `Node ${major}`,
        version: [file, '--version'],
        needs: [file],
        how: `${needsHook ? 'NODE_OPTIONS (hook)' : 'NODE_USE_ENV_PROXY'}${trust}`,
        command: [file, '-e', script],
        expect: /^hello from web$/m,
        quick: major === 26,
      };
    });
}

export const nodeChecks: readonly ClientCheck[] = releases.flatMap(checksOf);
