// Real clients of test/ways: how each fetches one URL, so that what it prints has what the origin said.

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { mustRun, runCommand } from '../support/command.ts';
import { gitEnvironment } from '../support/git-server.ts';

/** What the origin says, wherever a client prints a body. */
export const said = 'what the origin says';

export interface Place {
  /** `https://host:port` of the origin. */
  readonly url: string;
  /** Folder of this client alone. */
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
}

export type Client = (place: Place) => Promise<string>;

const timeoutMs = 180_000;

async function run(file: string, args: readonly string[], { folder, env }: Place): Promise<string> {
  const { stdout, stderr } = await runCommand(file, args, { cwd: folder, env: { ...env }, timeoutMs });
  return stdout + stderr;
}

async function written(folder: string, name: string, text: string): Promise<string> {
  await writeFile(join(folder, name), text);
  return join(folder, name);
}

export const git: Client = (place) =>
  run('git', ['clone', '--quiet', '--bare', `${place.url}/repository.git`, 'copy'], place).then(
    async (text) => text + (await run('git', ['-C', 'copy', 'log', '--format=%s'], place)),
  );

export const pip: Client = (place) =>
  run('pip', ['download', '--no-deps', '--retries', '0', '--index-url', `${place.url}/simple`, 'said'], {
    ...place,
    env: { ...place.env, PIP_CONFIG_FILE: '/dev/null', PIP_DISABLE_PIP_VERSION_CHECK: '1' },
  });

export const npm: Client = (place) =>
  run(
    'npm',
    ['view', 'said', 'description', '--registry', `${place.url}/npm/`, '--fetch-retries', '0'],
    place,
  );

const goSource = `package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
)

func main() {
	response, err := http.Get(os.Args[1])
	if err != nil {
		fmt.Println(err)
		return
	}
	body, _ := io.ReadAll(response.Body)
	fmt.Println(string(body))
}
`;

export const go: Client = async (place) => {
  const file = await written(place.folder, 'main.go', goSource);
  const cache = { GOCACHE: '/tmp/upstreamproxy-go-cache', GOFLAGS: '-mod=mod', GOTOOLCHAIN: 'local' };
  return await run('go', ['run', file, `${place.url}/said`], { ...place, env: { ...place.env, ...cache } });
};

export const nodeHttps: Client = (place) =>
  run(
    process.execPath,
    ['-e', `require('https').get('${place.url}/said', (r) => r.pipe(process.stdout))`],
    place,
  );

export const nodeFetch: Client = (place) =>
  run(process.execPath, ['-e', `fetch('${place.url}/said').then((r) => r.text()).then(console.log)`], place);

/** TLS to the proxy, CONNECT with the token, and TLS above it: what a client of Java has to do itself. */
const javaSource = `import java.io.*;
import java.net.*;
import java.nio.file.*;
import java.security.KeyStore;
import java.security.cert.*;
import java.util.*;
import javax.net.ssl.*;

public class Said {
  public static void main(String[] a) throws Exception {
    URI proxy = new URI(System.getenv("HTTPS_PROXY")), url = new URI(a[0]);
    KeyStore store = KeyStore.getInstance("PKCS12");
    store.load(null, null);
    int i = 0;
    try (InputStream in = Files.newInputStream(Path.of(System.getenv("SSL_CERT_FILE")))) {
      for (Certificate one : CertificateFactory.getInstance("X.509").generateCertificates(in)) store.setCertificateEntry("c" + i++, one);
    }
    TrustManagerFactory trust = TrustManagerFactory.getInstance("PKIX");
    trust.init(store);
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(null, trust.getTrustManagers(), null);
    SSLSocketFactory factory = context.getSocketFactory();
    SSLSocket outer = (SSLSocket) factory.createSocket(proxy.getHost(), proxy.getPort());
    SSLParameters named = outer.getSSLParameters();
    named.setEndpointIdentificationAlgorithm("HTTPS");
    outer.setSSLParameters(named);
    String to = url.getHost() + ":" + url.getPort();
    String basic = Base64.getEncoder().encodeToString(proxy.getUserInfo().getBytes());
    outer.getOutputStream().write(("CONNECT " + to + " HTTP/1.1\\r\\nHost: " + to + "\\r\\nProxy-Authorization: Basic " + basic + "\\r\\n\\r\\n").getBytes());
    InputStream in = outer.getInputStream();
    StringBuilder head = new StringBuilder();
    while (head.indexOf("\\r\\n\\r\\n") < 0) head.append((char) in.read());
    if (!head.toString().contains(" 200 ")) { System.out.println(head); return; }
    SSLSocket inner = (SSLSocket) factory.createSocket(outer, url.getHost(), url.getPort(), true);
    inner.getOutputStream().write(("GET " + url.getPath() + " HTTP/1.1\\r\\nHost: " + to + "\\r\\nConnection: close\\r\\n\\r\\n").getBytes());
    System.out.println(new String(inner.getInputStream().readAllBytes()));
  }
}
`;

export const java: Client = async (place) =>
  run('java', [await written(place.folder, 'Said.java', javaSource), `${place.url}/said`], place);

/** By the properties of the runtime, which send the name to the proxy. */
const javaSocksSource = `import java.net.*;
public class Socks {
  public static void main(String[] a) throws Exception {
    System.out.println(new String(new URL(a[0]).openConnection().getInputStream().readAllBytes()));
  }
}
`;

export const javaSocks =
  (host: string, port: number, trustStore: string): Client =>
  async (place) => {
    const properties = [
      `-DsocksProxyHost=${host}`,
      `-DsocksProxyPort=${port}`,
      `-Djavax.net.ssl.trustStore=${trustStore}`,
      '-Djavax.net.ssl.trustStorePassword=changeit',
    ];
    const file = await written(place.folder, 'Socks.java', javaSocksSource);
    return await run('java', [...properties, file, `${place.url}/said`], place);
  };

export const curl =
  (...options: readonly string[]): Client =>
  (place) =>
    run('curl', ['--silent', '--show-error', '--max-time', '60', ...options, `${place.url}/said`], place);

export const wget: Client = (place) =>
  run('wget', ['--timeout', '20', '--tries', '1', '--output-document', '-', `${place.url}/said`], place);

export const urllib: Client = (place) =>
  run(
    'python3',
    ['-c', `import urllib.request as u; print(u.urlopen('${place.url}/said', timeout=20).read())`],
    place,
  );

/** Responds to all of them: a repository, an index of PyPI, a registry of npm, and a page. */
export async function originOf(
  folder: string,
): Promise<(request: IncomingMessage, response: ServerResponse) => void> {
  const work = join(folder, 'work');
  const served = join(folder, 'repository.git');
  await mkdir(work, { recursive: true });
  const inGit = (...args: string[]): Promise<string> => mustRun('git', args, { env: gitEnvironment });
  await inGit('init', '--quiet', '--initial-branch=main', work);
  await inGit('-C', work, 'commit', '--quiet', '--allow-empty', '-m', said);
  await inGit('clone', '--quiet', '--bare', work, served);
  await inGit('-C', served, 'update-server-info');
  const wheel = 'said-1.0-py3-none-any.whl';
  const made = `import zipfile
with zipfile.ZipFile('${join(folder, wheel)}', 'w') as z:
    z.writestr('said.py', '')
    z.writestr('said-1.0.dist-info/METADATA', 'Metadata-Version: 2.1\\nName: said\\nVersion: 1.0\\n')
    z.writestr('said-1.0.dist-info/WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
    z.writestr('said-1.0.dist-info/RECORD', '')
`;
  await mustRun('python3', ['-c', made], {});
  const npmDocument = JSON.stringify({
    name: 'said',
    description: said,
    'dist-tags': { latest: '1.0.0' },
    versions: { '1.0.0': { name: 'said', version: '1.0.0', description: said } },
  });
  return (request, response) => {
    const [path = ''] = (request.url ?? '').split('?');
    const send = (type: string, body: string | Uint8Array): void =>
      void response
        .writeHead(200, { 'content-type': type, 'content-length': Buffer.byteLength(body) })
        .end(body);
    if (path === '/said') return send('text/plain', said);
    if (path === '/npm/said') return send('application/json', npmDocument);
    if (path === '/simple/said/') return send('text/html', `<a href="/files/${wheel}">${wheel}</a>`);
    const file = path.startsWith('/files/') ? join(folder, wheel) : join(folder, path);
    readFile(file).then(
      (bytes) => send('application/octet-stream', bytes),
      () => response.writeHead(404).end(),
    );
  };
}
