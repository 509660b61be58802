// Libraries of Python, of Debian's interpreter.

import type { ClientCheck } from '../check.ts';

const python = '/usr/bin/python3';

interface Library {
  readonly id: string;
  readonly client: string;
  /** By whose metadata the version is told. */
  readonly distribution: string;
  /** What must be in Debian's folder of modules. */
  readonly module: string;
  readonly how: string;
  readonly program: string;
  readonly expect?: RegExp;
  readonly env?: ClientCheck['env'];
  readonly expected?: ClientCheck['expected'];
  readonly systemStore?: NonNullable<ClientCheck['systemStore']>;
}

function libraryCheck({ module, distribution, program, ...library }: Library): ClientCheck {
  return {
    expect: /hello from web/,
    ...library,
    version: [python, '-c', `from importlib.metadata import version; print(version('${distribution}'))`],
    needs: [python, `/usr/lib/python3/dist-packages/${module}`],
    files: { 'program.py': program },
    command: [python, 'program.py'],
  };
}

const failsBecause = (reason: string): ClientCheck['expected'] => ({
  environment: { outcome: 'fail', reason },
});

const httpLibraries: readonly Library[] = [
  {
    id: 'py-requests',
    client: 'requests',
    distribution: 'requests',
    module: 'requests',
    how: 'https_proxy; REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE',
    program: `import requests
print(requests.get('@https:web@/hello', timeout=20).text)
`,
  },
  {
    id: 'py-httpx',
    client: 'httpx',
    distribution: 'httpx',
    module: 'httpx',
    how: 'https_proxy; SSL_CERT_FILE',
    program: `import httpx
print(httpx.get('@https:web@/hello', timeout=20).text)
`,
  },
  {
    id: 'py-httpx2',
    client: 'httpx with HTTP/2',
    distribution: 'httpx',
    module: 'h2',
    how: 'https_proxy; SSL_CERT_FILE',
    expect: /HTTP\/2 hello from web/,
    program: `import httpx
with httpx.Client(http2=True, timeout=20) as client:
    response = client.get('@https:web@/hello')
    print(response.http_version, response.text)
`,
  },
  {
    id: 'py-aiohttp',
    client: 'aiohttp',
    distribution: 'aiohttp',
    module: 'aiohttp',
    how: 'capture; SSL_CERT_FILE',
    expected: failsBecause('reads no proxy variable without trust_env'),
    program: `import asyncio, aiohttp
async def main():
    async with aiohttp.ClientSession() as session:
        async with session.get('@https:web@/hello') as response:
            print(await response.text())
asyncio.run(main())
`,
  },
  {
    id: 'py-aiohttp-trustenv',
    client: 'aiohttp with trust_env',
    distribution: 'aiohttp',
    module: 'aiohttp',
    how: 'https_proxy; SSL_CERT_FILE',
    program: `import asyncio, aiohttp
async def main():
    async with aiohttp.ClientSession(trust_env=True) as session:
        async with session.get('@https:web@/hello') as response:
            print(await response.text())
asyncio.run(main())
`,
  },
  {
    id: 'py-urllib3',
    client: 'urllib3 (PoolManager)',
    distribution: 'urllib3',
    module: 'urllib3',
    how: 'capture; SSL_CERT_FILE',
    expected: failsBecause('PoolManager reads no proxy variable'),
    program: `import urllib3
print(urllib3.PoolManager(retries=False).request('GET', '@https:web@/hello', timeout=20).data.decode())
`,
  },
  {
    id: 'py-httplib2',
    client: 'httplib2',
    distribution: 'httplib2',
    module: 'httplib2',
    how: 'https_proxy; HTTPLIB2_CA_CERTS',
    program: `import httplib2
print(httplib2.Http(timeout=20).request('@https:web@/hello')[1].decode())
`,
  },
  {
    id: 'py-pycurl',
    client: 'pycurl',
    distribution: 'pycurl',
    module: 'curl',
    how: 'https_proxy; the system store',
    systemStore: ['environment', 'capture'],
    program: `import pycurl
curl = pycurl.Curl()
curl.setopt(curl.URL, '@https:web@/hello')
curl.setopt(curl.TIMEOUT, 20)
curl.perform()
`,
  },
];

const otherLibraries: readonly Library[] = [
  {
    id: 'py-websockets',
    client: 'websockets',
    distribution: 'websockets',
    module: 'websockets',
    how: 'https_proxy; SSL_CERT_FILE',
    program: `from websockets.sync.client import connect
with connect('@wss:web@/ws', open_timeout=30) as socket:
    print(socket.recv(timeout=30))
`,
  },
  {
    id: 'py-websocket-client',
    client: 'websocket-client',
    distribution: 'websocket-client',
    module: 'websocket',
    how: 'https_proxy; SSL_CERT_FILE or WEBSOCKET_CLIENT_CA_BUNDLE',
    program: `import websocket
socket = websocket.create_connection('@wss:web@/ws', timeout=20)
print(socket.recv())
socket.close()
`,
  },
  {
    id: 'py-boto3',
    client: 'boto3',
    distribution: 'boto3',
    module: 'boto3',
    how: 'https_proxy; AWS_CA_BUNDLE or REQUESTS_CA_BUNDLE',
    expect: /hello from s3/,
    env: {
      AWS_ACCESS_KEY_ID: 'placeholder',
      AWS_SECRET_ACCESS_KEY: 'placeholder',
      AWS_EC2_METADATA_DISABLED: 'true',
    },
    program: `import boto3
client = boto3.client('s3', endpoint_url='@https:s3@', region_name='us-east-1')
print(client.get_object(Bucket='example-bucket', Key='hello.txt')['Body'].read().decode())
`,
  },
  {
    id: 'py-grpcio',
    client: 'grpcio',
    distribution: 'grpcio',
    module: 'grpc',
    how: 'https_proxy (lower case); GRPC_DEFAULT_SSL_ROOTS_FILE_PATH',
    expect: /hello from grpc/,
    program: `import grpc
channel = grpc.secure_channel('@host:grpc@:@port:https@', grpc.ssl_channel_credentials())
print(channel.unary_unary('/example.Echo/Say')(b'hello from grpc', timeout=20).decode())
`,
  },
];

const olderInterpreter: readonly ClientCheck[] = [
  {
    id: 'py311-urllib',
    client: 'urllib of Python 3.11',
    version: ['/usr/bin/python3.11', '--version'],
    needs: ['/usr/bin/python3.11'],
    how: 'https_proxy; SSL_CERT_FILE',
    command: [
      '/usr/bin/python3.11',
      '-c',
      `import urllib.request; print(urllib.request.urlopen('@https:web@/hello', timeout=20).read().decode())`,
    ],
    expect: /hello from web/,
  },
  {
    id: 'py311-pip',
    client: 'pip of Python 3.11',
    version: ['/usr/bin/python3.11', '-m', 'pip', '--version'],
    needs: ['/usr/bin/python3.11', '/usr/lib/python3/dist-packages/pip'],
    how: 'https_proxy; PIP_CERT or REQUESTS_CA_BUNDLE',
    env: { PIP_CONFIG_FILE: '/dev/null' },
    command: [
      'sh',
      '-ec',
      `/usr/bin/python3.11 -m pip install --no-cache-dir --disable-pip-version-check --break-system-packages --index-url @https:pypi@/simple/ --target site example-package
       PYTHONPATH=site /usr/bin/python3.11 -c 'import example_package; print(example_package.HELLO)'`,
    ],
    expect: /hello from pypi/,
  },
  {
    id: 'py311-requests-certifi',
    client: 'requests of Python 3.11',
    version: ['/usr/bin/python3.11', '-c', 'import requests; print(requests.__version__)'],
    needs: ['/usr/bin/python3.11', '/usr/lib/python3/dist-packages/requests'],
    how: 'https_proxy; REQUESTS_CA_BUNDLE',
    command: [
      '/usr/bin/python3.11',
      '-c',
      `import requests; print(requests.get('@https:web@/hello', timeout=20).text)`,
    ],
    expect: /hello from web/,
  },
];

export const pythonLibraryChecks: readonly ClientCheck[] = [
  ...httpLibraries.map(libraryCheck),
  ...otherLibraries.map(libraryCheck),
  {
    id: 'py-httpclient',
    client: 'http.client of Python',
    version: [python, '--version'],
    needs: [python],
    how: 'capture; SSL_CERT_FILE',
    files: {
      'program.py': `import http.client
connection = http.client.HTTPSConnection('@host:web@', @port:https@, timeout=20)
connection.request('GET', '/hello')
print(connection.getresponse().read().decode())
`,
    },
    command: [python, 'program.py'],
    expect: /hello from web/,
    expected: failsBecause('reads no proxy variable'),
  },
  ...olderInterpreter,
];
