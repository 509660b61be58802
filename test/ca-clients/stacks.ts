// TLS stacks, each by the program that people use it with: does it take this server as that host?

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { findTool } from '../support/tools.ts';
import type { Chain } from './chains.ts';

export interface Handshake {
  readonly host: string;
  /** Of 127.0.0.1. */
  readonly port: number;
  readonly chain: Chain;
  /** Has `root.pem`, `intermediate.pem` and `leaf.pem`, and is this handshake's own. */
  readonly folder: string;
}

export interface Stack {
  readonly name: string;
  /** What has to be here; the first one tells the version. */
  readonly tools: readonly string[];
  /** Once, before the first handshake. Throws where it cannot be had here. */
  readonly prepare?: (folder: string) => void;
  /** The command that ends with 0 if it was taken. */
  readonly command: (handshake: Handshake, folder: string) => readonly string[];
}

const environment = { ...process.env, NODE_EXTRA_CA_CERTS: undefined, SSL_CERT_FILE: undefined };

export async function isTaken({ command }: Stack, handshake: Handshake, folder: string): Promise<boolean> {
  const [file = '', ...args] = command(handshake, folder);
  const child = spawn(file, args, {
    env: environment,
    stdio: ['ignore', 'ignore', 'ignore'],
    timeout: 60_000,
  });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code === null) throw new Error(`${file} did not end`);
  return code === 0;
}

/** Why it cannot be tried here; undefined where it can. */
export function whyNot({ name, tools, prepare }: Stack, folder: string): string | undefined {
  const missing = tools.filter((tool) => findTool(tool) === undefined);
  if (missing.length > 0) return `not installed here: ${missing.join(', ')}`;
  try {
    prepare?.(folder);
    return undefined;
  } catch (error) {
    return `${name} cannot be built here: ${String(error).split('\n')[0] ?? ''}`;
  }
}

const root = ({ folder }: Handshake): string => join(folder, 'root.pem');
const at = ({ port }: Handshake): string => `127.0.0.1:${port}`;

/** Writes a program of one file. */
const written = (name: string, source: string) => (folder: string) => {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, name), source);
};

/** Writes one of C, and compiles it. */
const compiled = (name: string, library: string, source: string) => (folder: string) => {
  written(`${name}.c`, source)(folder);
  const [out, from] = [join(folder, name), join(folder, `${name}.c`)];
  execFileSync('cc', ['-o', out, from, ...library.split(' ')], { stdio: ['ignore', 'ignore', 'pipe'] });
};

const goSource = `package main
import ("crypto/tls"; "crypto/x509"; "os")
func main() {
  pem, _ := os.ReadFile(os.Args[1])
  pool := x509.NewCertPool(); pool.AppendCertsFromPEM(pem)
  c, err := tls.Dial("tcp", os.Args[2], &tls.Config{RootCAs: pool, ServerName: os.Args[3]})
  if err != nil { os.Exit(1) }
  c.Close()
}
`;

const javaSource = `import java.io.*; import java.net.*; import java.security.*; import java.security.cert.*; import java.util.*; import javax.net.ssl.*;
public class Handshake {
  public static void main(String[] a) throws Exception {
    KeyStore store = KeyStore.getInstance("PKCS12"); store.load(null, null);
    store.setCertificateEntry("root", CertificateFactory.getInstance("X.509").generateCertificate(new FileInputStream(a[0])));
    TrustManagerFactory f = TrustManagerFactory.getInstance("PKIX"); f.init(store);
    SSLContext c = SSLContext.getInstance("TLS"); c.init(null, f.getTrustManagers(), null);
    Socket plain = new Socket("127.0.0.1", Integer.parseInt(a[1]));
    SSLSocket s = (SSLSocket) c.getSocketFactory().createSocket(plain, a[2], Integer.parseInt(a[1]), true);
    SSLParameters p = s.getSSLParameters(); p.setEndpointIdentificationAlgorithm("HTTPS"); s.setSSLParameters(p);
    try { s.startHandshake(); } catch (SSLException e) { System.exit(1); }
    s.close();
  }
}
`;

const scriptSource = `const { connect } = require('node:tls');
const [, , ca, port, host] = process.argv;
const socket = connect({ host: '127.0.0.1', port: Number(port), servername: host, ca: require('node:fs').readFileSync(ca) });
socket.on('secureConnect', () => process.exit(socket.authorized ? 0 : 1)).on('error', () => process.exit(1));
`;

const pythonSource = `import socket, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[1])
context.verify_flags |= ssl.VERIFY_X509_STRICT
try:
    with socket.create_connection(("127.0.0.1", int(sys.argv[2]))) as plain:
        context.wrap_socket(plain, server_hostname=sys.argv[3]).close()
except ssl.SSLError:
    sys.exit(1)
`;

const rubySource = `require 'socket'; require 'openssl'
context = OpenSSL::SSL::SSLContext.new
context.ca_file = ARGV[0]; context.verify_mode = OpenSSL::SSL::VERIFY_PEER; context.verify_hostname = true
socket = OpenSSL::SSL::SSLSocket.new(TCPSocket.new('127.0.0.1', ARGV[1].to_i), context)
socket.hostname = ARGV[2]
begin
  socket.connect
rescue OpenSSL::SSL::SSLError
  exit 1
end
`;

const phpSource = `<?php
$context = stream_context_create(['ssl' => ['cafile' => $argv[1], 'peer_name' => $argv[3], 'verify_peer' => true]]);
$socket = @stream_socket_client("tls://127.0.0.1:$argv[2]", $code, $message, 20, STREAM_CLIENT_CONNECT, $context);
exit($socket === false ? 1 : 0);
`;

const mbedSource = `#include <mbedtls/x509_crt.h>
int main(int n, char **a) {
  mbedtls_x509_crt root, chain; uint32_t flags = 0;
  mbedtls_x509_crt_init(&root); mbedtls_x509_crt_init(&chain);
  if (mbedtls_x509_crt_parse_file(&root, a[1]) != 0) return 2;
  if (mbedtls_x509_crt_parse_file(&chain, a[2]) != 0 || mbedtls_x509_crt_parse_file(&chain, a[3]) != 0) return 1;
  return mbedtls_x509_crt_verify(&chain, &root, NULL, a[4], &flags, NULL, NULL) == 0 ? 0 : 1;
}
`;

const wolfSource = `#include <wolfssl/options.h>
#include <wolfssl/ssl.h>
#include <arpa/inet.h>
#include <string.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
int main(int n, char **a) {
  wolfSSL_Init();
  WOLFSSL_CTX *c = wolfSSL_CTX_new(wolfTLS_client_method());
  if (wolfSSL_CTX_load_verify_locations(c, a[1], NULL) != WOLFSSL_SUCCESS) return 2;
  wolfSSL_CTX_set_verify(c, WOLFSSL_VERIFY_PEER, NULL);
  WOLFSSL *s = wolfSSL_new(c);
  wolfSSL_check_domain_name(s, a[3]);
  wolfSSL_UseSNI(s, WOLFSSL_SNI_HOST_NAME, a[3], strlen(a[3]));
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(atoi(a[2])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
  if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0) return 2;
  wolfSSL_set_fd(s, fd);
  return wolfSSL_connect(s) == WOLFSSL_SUCCESS ? 0 : 1;
}
`;

export const stacks: readonly Stack[] = [
  {
    name: 'OpenSSL',
    tools: ['openssl'],
    command: (on) => [
      'openssl',
      's_client',
      '-connect',
      at(on),
      '-servername',
      on.host,
      '-verify_hostname',
      on.host,
      '-CAfile',
      root(on),
      '-verify_return_error',
      '-x509_strict',
    ],
  },
  {
    name: 'curl (OpenSSL)',
    tools: ['curl'],
    command: (on) => [
      'curl',
      '-sS',
      '--noproxy',
      '*',
      '--cacert',
      root(on),
      '--resolve',
      `${on.host}:${on.port}:127.0.0.1`,
      '-o',
      '/dev/null',
      `https://${on.host}:${on.port}/`,
    ],
  },
  {
    name: 'GnuTLS',
    tools: ['gnutls-cli'],
    command: (on) => [
      'gnutls-cli',
      '--x509cafile',
      root(on),
      '--sni-hostname',
      on.host,
      '--verify-hostname',
      on.host,
      '-p',
      String(on.port),
      '127.0.0.1',
    ],
  },
  {
    name: 'Go',
    tools: ['go'],
    prepare: (folder) => {
      written('handshake.go', goSource)(folder);
      execFileSync('go', ['build', '-o', join(folder, 'handshake-go'), join(folder, 'handshake.go')], {
        stdio: ['ignore', 'ignore', 'pipe'],
        env: { ...process.env, GO111MODULE: 'off', GOFLAGS: '' },
      });
    },
    command: (on, folder) => [join(folder, 'handshake-go'), root(on), at(on), on.host],
  },
  {
    name: 'Java',
    tools: ['java'],
    prepare: written('Handshake.java', javaSource),
    command: (on, folder) => ['java', join(folder, 'Handshake.java'), root(on), String(on.port), on.host],
  },
  {
    name: 'Node',
    tools: ['node'],
    prepare: written('handshake.cjs', scriptSource),
    command: (on, folder) => [
      process.execPath,
      join(folder, 'handshake.cjs'),
      root(on),
      String(on.port),
      on.host,
    ],
  },
  {
    name: 'Bun (BoringSSL)',
    tools: ['bun'],
    prepare: written('handshake.cjs', scriptSource),
    command: (on, folder) => ['bun', join(folder, 'handshake.cjs'), root(on), String(on.port), on.host],
  },
  {
    name: 'Python',
    tools: ['python3'],
    prepare: written('handshake.py', pythonSource),
    command: (on, folder) => ['python3', join(folder, 'handshake.py'), root(on), String(on.port), on.host],
  },
  {
    name: 'Ruby',
    tools: ['ruby'],
    prepare: written('handshake.rb', rubySource),
    command: (on, folder) => ['ruby', join(folder, 'handshake.rb'), root(on), String(on.port), on.host],
  },
  {
    name: 'PHP',
    tools: ['php'],
    prepare: written('handshake.php', phpSource),
    command: (on, folder) => ['php', join(folder, 'handshake.php'), root(on), String(on.port), on.host],
  },
  {
    name: 'NSS',
    tools: ['vfychain', 'certutil'],
    command: (on) => {
      const database = `sql:${on.folder}`;
      execFileSync('certutil', ['-N', '-d', database, '--empty-password'], { stdio: 'ignore' });
      const add = ['-A', '-d', database, '-n', 'root', '-t', 'C,,', '-i', root(on)];
      execFileSync('certutil', add, { stdio: 'ignore' });
      const chain = [join(on.folder, 'leaf.pem'), join(on.folder, 'intermediate.pem')];
      return ['vfychain', '-d', database, '-pp', '-u', '1', '-a', ...chain];
    },
  },
  {
    name: 'mbedTLS',
    tools: ['cc'],
    prepare: compiled('handshake-mbed', '-lmbedx509 -lmbedcrypto', mbedSource),
    command: (on, folder) => [
      join(folder, 'handshake-mbed'),
      ...['root.pem', 'leaf.pem', 'intermediate.pem'].map((name) => join(on.folder, name)),
      on.host,
    ],
  },
  {
    name: 'wolfSSL',
    tools: ['cc'],
    prepare: compiled('handshake-wolf', '-lwolfssl', wolfSource),
    command: (on, folder) => [join(folder, 'handshake-wolf'), root(on), String(on.port), on.host],
  },
];
