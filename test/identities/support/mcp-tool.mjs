// A client of MCP as tools have it: it registers itself, logs in by a code with PKCE, asks for tools, refreshes, and keeps what it got in a file. It ends
// when its input does.

import { createRequire } from 'node:module';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [folder, serverUrl, file] = process.argv.slice(2);
const require = createRequire(join(folder, 'package.json'));
const load = (name) =>
  import(
    pathToFileURL(require.resolve(`@modelcontextprotocol/sdk/${name}.js`).replace('/cjs/', '/esm/')).href
  );
const { auth } = await load('client/auth');
const { Client } = await load('client/index');
const { StreamableHTTPClientTransport } = await load('client/streamableHttp');

const kept = {};
const keep = (name, value) => {
  kept[name] = value;
  writeFileSync(file, JSON.stringify(kept));
};
let address;
const provider = {
  redirectUrl: 'http://127.0.0.1:9/callback',
  clientMetadata: {
    client_name: 'tool',
    redirect_uris: ['http://127.0.0.1:9/callback'],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: 'client_secret_post',
  },
  clientInformation: () => kept.client,
  saveClientInformation: (value) => keep('client', value),
  tokens: () => kept.tokens,
  saveTokens: (value) => keep('tokens', value),
  redirectToAuthorization: (url) => void (address = url),
  saveCodeVerifier: (value) => keep('verifier', value),
  codeVerifier: () => kept.verifier,
};

async function listTools() {
  const client = new Client({ name: 'tool', version: '1.0.0' });
  await client.connect(new StreamableHTTPClientTransport(new URL(serverUrl), { authProvider: provider }));
  const { tools } = await client.listTools();
  await client.close();
  return tools.map(({ name }) => name);
}

const first = await auth(provider, { serverUrl });
const response = await fetch(address, { redirect: 'manual' });
const code = new URL(response.headers.get('location')).searchParams.get('code');
const second = await auth(provider, { serverUrl, authorizationCode: code });
const before = await listTools();
const earlier = kept.tokens.access_token;
const third = await auth(provider, { serverUrl });
const after = await listTools();
const isOther = kept.tokens.access_token !== earlier;
console.log(
  JSON.stringify({
    first,
    second,
    third,
    before,
    after,
    isOther,
    file: JSON.parse(readFileSync(file, 'utf8')),
  }),
);
process.stdin.resume();
