// Libraries of npm that make connections, each in a small program on the Node that runs the matrix.

import type { ClientCheck } from '../check.ts';

const folder = '@tools@/libraries/node_modules';

interface Library {
  readonly id: string;
  readonly client?: string;
  /** Package whose presence and version count. */
  readonly package: string;
  readonly how: string;
  readonly program: string;
  readonly expect?: RegExp;
  readonly env?: ClientCheck['env'];
  readonly modes?: ClientCheck['modes'];
  readonly modeReason?: string;
}

/** The program is CommonJS in the working directory; NODE_PATH lets `require` and `load` find the libraries. */
function libraryCheck(library: Library): ClientCheck {
  const { id, package: name, how, program } = library;
  return {
    id,
    client: library.client ?? name,
    version: ['@node@', '-p', `require('${folder}/${name}/package.json').version`],
    needs: [`${folder}/${name}/package.json`],
    how,
    files: {
      // An ES module too is loaded by require from Node 22 on; what it exports by default is unwrapped.
      'program.cjs': `const load = (name) => { const loaded = require(name); return loaded.default ?? loaded; };
(async () => {
${program}
})().catch((error) => { console.error(error); process.exitCode = 1; });
`,
    },
    env: { NODE_PATH: folder, ...library.env },
    command: ['@node@', 'program.cjs'],
    expect: library.expect ?? /hello from web/,
    ...(library.modes === undefined ? {} : { modes: library.modes }),
    ...(library.modeReason === undefined ? {} : { modeReason: library.modeReason }),
  };
}

const environmentProxy = 'NODE_USE_ENV_PROXY; NODE_EXTRA_CA_CERTS';
const ownProxy = 'https_proxy; NODE_EXTRA_CA_CERTS';
const hook = 'NODE_OPTIONS=--require (the hook); NODE_EXTRA_CA_CERTS';

const libraries: readonly Library[] = [
  {
    id: 'js-axios',
    package: 'axios',
    how: ownProxy,
    program: `console.log((await load('axios').get('@https:web@/hello')).data);`,
  },
  {
    id: 'js-got',
    package: 'got',
    how: environmentProxy,
    program: `console.log(await load('got')('@https:web@/hello', { retry: { limit: 0 } }).text());`,
  },
  {
    id: 'js-node-fetch',
    package: 'node-fetch',
    how: environmentProxy,
    program: `console.log(await (await load('node-fetch')('@https:web@/hello')).text());`,
  },
  {
    id: 'js-ky',
    package: 'ky',
    how: environmentProxy,
    program: `console.log(await load('ky')('@https:web@/hello', { retry: 0 }).text());`,
  },
  {
    id: 'js-superagent',
    package: 'superagent',
    how: hook,
    program: `console.log((await load('superagent').get('@https:web@/hello')).text);`,
  },
  {
    id: 'js-needle',
    package: 'needle',
    how: 'https_proxy; asks the proxy for https:// itself, no CA',
    program: `console.log(String((await load('needle')('get', '@https:web@/hello')).body));`,
  },
  {
    id: 'js-request',
    package: 'request',
    how: ownProxy,
    program: `load('request')('@https:web@/hello', (error, _response, body) => {
  if (error) { console.error(error); process.exitCode = 1; } else console.log(body);
});`,
  },
  {
    id: 'js-undici-fetch',
    client: 'undici: fetch',
    package: 'undici',
    how: environmentProxy,
    program: `console.log(await (await require('undici').fetch('@https:web@/hello')).text());`,
  },
  {
    id: 'js-undici-request',
    client: 'undici: request',
    package: 'undici',
    how: environmentProxy,
    program: `console.log(await (await require('undici').request('@https:web@/hello')).body.text());`,
  },
  {
    id: 'js-undici-envagent',
    client: 'undici: EnvHttpProxyAgent',
    package: 'undici',
    how: ownProxy,
    program: `const { EnvHttpProxyAgent, request } = require('undici');
console.log(await (await request('@https:web@/hello', { dispatcher: new EnvHttpProxyAgent() })).body.text());`,
  },
  {
    id: 'js-global-agent',
    package: 'global-agent',
    how: 'GLOBAL_AGENT_* unset; NODE_USE_ENV_PROXY; NODE_EXTRA_CA_CERTS',
    program: `require('global-agent').bootstrap();
require('node:https').get('@https:web@/hello', (response) => response.pipe(process.stdout));`,
  },
  {
    id: 'js-aws-sdk',
    package: '@aws-sdk/client-s3',
    how: hook,
    env: { AWS_ACCESS_KEY_ID: 'placeholder', AWS_SECRET_ACCESS_KEY: 'placeholder' },
    expect: /hello from s3/,
    program: `const { S3Client, GetObjectCommand } = require('@aws-sdk/client-s3');
const client = new S3Client({ region: 'us-east-1', endpoint: '@https:s3@', forcePathStyle: true, maxAttempts: 1 });
const { Body } = await client.send(new GetObjectCommand({ Bucket: 'example-bucket', Key: 'hello.txt' }));
console.log(await Body.transformToString());`,
  },
  {
    id: 'js-openai',
    package: 'openai',
    how: environmentProxy,
    expect: /hello from api/,
    program: `const client = new (load('openai'))({ apiKey: 'placeholder', baseURL: '@https:api@/v1', maxRetries: 0 });
const response = await client.chat.completions.create({ model: 'example', messages: [{ role: 'user', content: 'hello' }] });
console.log(response.choices[0].message.content);`,
  },
  {
    id: 'js-anthropic',
    package: '@anthropic-ai/sdk',
    how: environmentProxy,
    expect: /hello from api/,
    program: `const client = new (load('@anthropic-ai/sdk'))({ apiKey: 'placeholder', baseURL: '@https:api@', maxRetries: 0 });
const response = await client.messages.create({ model: 'example', max_tokens: 16, messages: [{ role: 'user', content: 'hello' }] });
console.log(response.content[0].text);`,
  },
  {
    id: 'js-octokit',
    package: 'octokit',
    how: environmentProxy,
    expect: /hello from api/,
    program: `const { Octokit } = require('octokit');
console.log(JSON.stringify((await new Octokit({ auth: 'placeholder', baseUrl: '@https:api@' }).request('GET /user')).data));`,
  },
  {
    id: 'js-grpc',
    package: '@grpc/grpc-js',
    how: 'https_proxy (lower case); NODE_EXTRA_CA_CERTS or GRPC_DEFAULT_SSL_ROOTS_FILE_PATH',
    expect: /^hello from grpc$/m,
    program: `const grpc = require('@grpc/grpc-js');
const client = new grpc.Client('@host:grpc@:@port:https@', grpc.credentials.createSsl());
const pass = (value) => value;
client.makeUnaryRequest('/example.Echo/Say', pass, pass, Buffer.from('hello from grpc'), { deadline: Date.now() + 20000 }, (error, response) => {
  if (error) { console.error(error); process.exitCode = 1; } else console.log(response.toString());
  client.close();
});`,
  },
  {
    id: 'js-ws',
    package: 'ws',
    how: hook,
    program: `const socket = new (require('ws'))('@wss:web@/ws');
socket.on('message', (data) => { console.log(data.toString()); socket.close(); });
socket.on('error', (error) => { console.error(error); process.exitCode = 1; });`,
  },
  {
    id: 'js-ws-agent',
    client: 'ws with https-proxy-agent',
    package: 'https-proxy-agent',
    how: ownProxy,
    modes: ['environment'],
    modeReason: 'the program names the proxy',
    program: `const { HttpsProxyAgent } = require('https-proxy-agent');
const socket = new (require('ws'))('@wss:web@/ws', { agent: new HttpsProxyAgent(process.env.https_proxy) });
socket.on('message', (data) => { console.log(data.toString()); socket.close(); });
socket.on('error', (error) => { console.error(error); process.exitCode = 1; });`,
  },
];

export const javascriptLibraryChecks: readonly ClientCheck[] = [
  ...libraries.map(libraryCheck),
  {
    id: 'js-http2',
    client: 'http2 of Node',
    version: ['@node@', '--version'],
    needs: ['@node@'],
    how: hook,
    files: {
      'program.mjs': `import http2 from 'node:http2';
const session = http2.connect('@https:web@');
session.on('error', (error) => { console.error(error); process.exitCode = 1; });
const stream = session.request({ ':path': '/hello' });
stream.on('error', () => {});
stream.pipe(process.stdout);
stream.on('close', () => session.close());
`,
    },
    command: ['@node@', 'program.mjs'],
    expect: /hello from web/,
  },
];
