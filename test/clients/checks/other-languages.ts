// Erlang, Elixir, Haskell, OCaml, Emacs, Racket, .NET, Crystal and Swift.

import { createHash } from 'node:crypto';

import type { ClientCheck } from '../check.ts';
import { mixArchive } from '../origin/web.ts';

const text = /^hello from web\s*$/m;
const longMs = 180_000;

const erlangChecks: readonly ClientCheck[] = [
  {
    id: 'elixir-httpc',
    client: 'httpc of Erlang',
    version: ['elixir', '--version'],
    needs: ['elixir'],
    how: 'capture; the program names the CA',
    files: {
      'program.exs': `:inets.start()
:ssl.start()
options = [timeout: 20_000, ssl: [verify: :verify_peer, cacertfile: System.get_env("SSL_CERT_FILE"),
  customize_hostname_check: [match_fun: :public_key.pkix_verify_hostname_match_fun(:https)]]]
{:ok, {_status, _headers, body}} = :httpc.request(:get, {'@https:web@/hello', []}, options, [])
IO.puts(body)
`,
    },
    command: ['elixir', 'program.exs'],
    expect: text,
    expected: { environment: { outcome: 'fail', reason: 'reads no proxy variable' } },
  },
  {
    id: 'mix',
    client: 'mix',
    version: ['mix', '--version'],
    needs: ['mix'],
    how: 'https_proxy; HEX_CACERTS_PATH',
    env: { MIX_HOME: '@dir@/mix' },
    command: [
      'sh',
      '-ec',
      `mix archive.install --force @https:web@/example-1.0.0.ez --sha512 ${createHash('sha512').update(mixArchive()).digest('hex')}
       ls mix/archives`,
    ],
    expect: /^example-1\.0\.0$/m,
  },
  {
    id: 'rebar3',
    client: 'rebar3',
    version: ['rebar3', '--version'],
    needs: ['rebar3', 'git'],
    how: 'https_proxy; GIT_SSL_CAINFO (git dependencies)',
    files: {
      'rebar.config': '{deps, [{example_library, {git, "@https:git@/erlang.git", {branch, "main"}}}]}.\n',
      'src/project.app.src':
        '{application, project, [{vsn, "1.0.0"}, {applications, [kernel, stdlib, example_library]}]}.\n',
    },
    env: { REBAR_CACHE_DIR: '@dir@/cache' },
    command: ['sh', '-c', 'rebar3 get-deps; cat _build/default/lib/example_library/README'],
    expect: /fetched through the proxy/,
  },
];

const functionalChecks: readonly ClientCheck[] = [
  {
    id: 'cabal',
    client: 'cabal',
    version: ['cabal', '--version'],
    needs: ['cabal', 'curl'],
    how: 'https_proxy; SSL_CERT_FILE (it uses curl)',
    files: {
      'cabal.config': `repository fixture
  url: @https:hackage@/
  secure: False
remote-repo-cache: @dir@/packages
`,
    },
    env: { CABAL_DIR: '@dir@/cabal' },
    command: [
      'sh',
      '-c',
      'cabal --config-file=cabal.config --http-transport=curl update && cabal --config-file=cabal.config --http-transport=curl get example-package && cat example-package-1.0/README',
    ],
    expect: /^hello from hackage$/m,
  },
  {
    id: 'stack',
    client: 'stack',
    version: ['stack', '--version'],
    needs: ['stack'],
    how: 'https_proxy; SYSTEM_CERTIFICATE_PATH',
    env: { STACK_ROOT: '@dir@/stack' },
    command: [
      'sh',
      '-c',
      'stack --system-ghc --no-install-ghc new project @https:web@/example.hsfiles --no-init && cat project/README',
    ],
    expect: /^hello from web$/m,
  },
  {
    id: 'opam',
    client: 'opam',
    version: ['opam', '--version'],
    needs: ['opam', 'curl'],
    how: 'https_proxy; SSL_CERT_FILE or CURL_CA_BUNDLE (it uses curl)',
    help: '--disable-sandboxing: its builds would start in a sandbox of bwrap',
    env: { OPAMROOT: '@dir@/opam', OPAMYES: '1', OPAMROOTISOK: '1', OPAMERRLOGLEN: '0' },
    command: [
      'sh',
      '-c',
      'opam init --bare --no-setup --disable-sandboxing --no-opamrc fixture @https:opam@/ && opam show --raw example-package.1.0',
    ],
    expect: /hello from opam/,
  },
  {
    id: 'emacs-url',
    client: 'url.el of Emacs',
    version: ['emacs', '--version'],
    needs: ['emacs'],
    how: 'https_proxy; the system store',
    systemStore: ['environment', 'capture'],
    // Where it keeps what it has seen of servers. Several tries: now and then its wait for a response over TLS never ends, without
    // any proxy too.
    files: { '~/.emacs.d/init.el': '' },
    command: [
      'emacs',
      '--batch',
      '--eval',
      `(progn (setq gnutls-verify-error t)
         (let (response (tries 3))
           (while (and (not response) (> tries 0))
             (setq tries (1- tries) response (url-retrieve-synchronously "@https:web@/hello" t t 8)))
           (with-current-buffer response (princ (buffer-string)))))`,
    ],
    expect: text,
  },
  {
    id: 'racket',
    client: 'net/http-easy of Racket',
    version: ['racket', '--version'],
    needs: ['racket'],
    how: 'https_proxy; does not verify',
    command: [
      'racket',
      '-e',
      `(require net/url racket/port) (displayln (port->string (get-pure-port (string->url "@https:web@/hello"))))`,
    ],
    expect: text,
  },
];

const compiledChecks: readonly ClientCheck[] = [
  {
    id: 'mono-webclient',
    client: 'WebClient of Mono',
    version: ['mono', '--version'],
    needs: ['mono', 'mcs'],
    how: 'https_proxy; ~/.config/.mono/new-certs/Trust or /usr/share/.mono/new-certs/Trust, its own stores',
    files: {
      'Program.cs': `class Program {
  static void Main() { System.Console.WriteLine(new System.Net.WebClient().DownloadString("@https:web@/hello")); }
}
`,
    },
    command: ['sh', '-c', 'mcs Program.cs && mono Program.exe'],
    expect: text,
    timeoutMs: longMs,
    homeFiles: ['environment', 'capture'],
  },
  {
    id: 'crystal',
    client: 'HTTP::Client of Crystal',
    version: ['crystal', '--version'],
    needs: ['crystal'],
    how: 'capture; SSL_CERT_FILE',
    files: {
      'program.cr': `require "http/client"\nputs HTTP::Client.get("@https:web@/hello").body\n`,
    },
    env: { CRYSTAL_CACHE_DIR: '@cache@/crystal' },
    command: ['crystal', 'run', 'program.cr'],
    expect: text,
    timeoutMs: longMs,
    expected: { environment: { outcome: 'fail', reason: 'reads no proxy variable' } },
  },
  {
    id: 'swift-urlsession',
    client: 'URLSession of Swift',
    version: ['swiftc', '--version'],
    needs: ['swiftc'],
    how: 'https_proxy; the system store',
    systemStore: ['environment', 'capture'],
    files: {
      'program.swift': `import Foundation
import FoundationNetworking
let done = DispatchSemaphore(value: 0)
URLSession.shared.dataTask(with: URL(string: "@https:web@/hello")!) { data, _, error in
  if let data = data { print(String(data: data, encoding: .utf8)!) } else { print(error!) }
  done.signal()
}.resume()
done.wait()
`,
    },
    command: ['sh', '-c', 'swiftc -module-cache-path @dir@/modules program.swift -o program && ./program'],
    expect: text,
    timeoutMs: longMs,
  },
];

export const otherLanguageChecks: readonly ClientCheck[] = [
  ...erlangChecks,
  ...functionalChecks,
  ...compiledChecks,
];
