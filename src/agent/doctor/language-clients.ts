// Rows of the doctor's table: runtimes of languages, their libraries and package managers.

import {
  type ClientRow,
  eitherProxy,
  environmentProxy,
  files,
  lowerCaseProxy,
  noProxySetting,
  type ProxySource,
  system,
  type TrustSource,
} from './client-row.ts';

const version = ['--version'];

const nodeTrust: readonly TrustSource[] = [{ kind: 'file', name: 'NODE_EXTRA_CA_CERTS', adds: true }];
const nodeProxy: readonly ProxySource[] = [
  {
    kind: 'variable',
    names: ['https_proxy', 'HTTPS_PROXY'],
    only: { name: 'NODE_USE_ENV_PROXY', pattern: /^1$/ },
  },
  {
    kind: 'variable',
    names: ['https_proxy', 'HTTPS_PROXY'],
    only: { name: 'NODE_OPTIONS', pattern: /node-hook\.cjs/ },
  },
];
const nodeManagerTrust: readonly TrustSource[] = [
  { kind: 'file', name: 'npm_config_cafile' },
  ...nodeTrust,
  system,
];
const fetchScript = `fetch('@url@').then((response) => response.text()).then((text) => console.log(text))`;

const javascript: readonly ClientRow[] = [
  {
    id: 'node-fetch',
    commands: ['node'],
    version,
    proxy: nodeProxy,
    trust: nodeTrust,
    proof: { args: ['-e', fetchScript] },
  },
  {
    id: 'node-https',
    commands: ['node'],
    version,
    proxy: nodeProxy,
    trust: nodeTrust,
    proof: { args: ['-e', `require('https').get('@url@', (response) => response.pipe(process.stdout))`] },
  },
  {
    id: 'npm',
    commands: ['npm'],
    version,
    proxy: environmentProxy,
    trust: nodeManagerTrust,
    proof: {
      args: ['ping', '--json', '--registry=@base@/doctor/npm/@word@/'],
      env: {
        npm_config_cache: '@temporary@',
        npm_config_logs_max: '0',
        npm_config_update_notifier: 'false',
        npm_config_fetch_retries: '0',
      },
    },
  },
  {
    id: 'pnpm',
    commands: ['pnpm'],
    version,
    proxy: environmentProxy,
    trust: nodeManagerTrust,
  },
  {
    id: 'yarn',
    commands: ['yarn'],
    version,
    // The first edition reads the one, the fourth the other.
    proxy: [{ kind: 'variable', names: ['YARN_HTTPS_PROXY', 'https_proxy', 'HTTPS_PROXY'] }],
    trust: [{ kind: 'file', name: 'YARN_HTTPS_CA_FILE_PATH' }, ...nodeManagerTrust],
  },
  {
    id: 'bun',
    commands: ['bun'],
    version,
    proxy: environmentProxy,
    trust: [...nodeTrust, ...files('SSL_CERT_FILE')],
    proof: { args: ['-e', fetchScript] },
  },
  {
    id: 'deno',
    commands: ['deno'],
    version,
    proxy: environmentProxy,
    trust: [{ kind: 'file', name: 'DENO_CERT', adds: true }, ...nodeTrust],
    proof: { args: ['eval', fetchScript], env: { DENO_DIR: '@temporary@' } },
  },
];

const pythonLibrary = (
  module: string,
  script: string,
): Pick<ClientRow, 'commands' | 'version' | 'library' | 'proof'> => ({
  commands: ['python3', 'python'],
  version: ['-c', `import ${module}; print(${module}.__version__)`],
  library: true,
  proof: { args: ['-c', `import ${module}; ${script}`] },
});

const python: readonly ClientRow[] = [
  {
    id: 'python-urllib',
    commands: ['python3', 'python'],
    version,
    proxy: environmentProxy,
    trust: files('SSL_CERT_FILE'),
    proof: { args: ['-c', `import urllib.request as u; print(u.urlopen('@url@').read().decode())`] },
  },
  {
    id: 'python-requests',
    ...pythonLibrary('requests', `print(requests.get('@url@').text)`),
    proxy: environmentProxy,
    trust: files('REQUESTS_CA_BUNDLE', 'CURL_CA_BUNDLE'),
  },
  {
    id: 'python-httpx',
    ...pythonLibrary('httpx', `print(httpx.get('@url@').text)`),
    proxy: environmentProxy,
    trust: files('SSL_CERT_FILE'),
  },
  {
    id: 'python-pycurl',
    commands: ['python3', 'python'],
    version: ['-c', 'import pycurl; print(pycurl.version)'],
    library: true,
    proxy: environmentProxy,
    trust: [system],
    fix: 'system-store',
    proof: { args: ['-c', `import pycurl; c = pycurl.Curl(); c.setopt(c.URL, '@url@'); c.perform()`] },
  },
  {
    id: 'pip',
    commands: ['pip3', 'pip'],
    version,
    proxy: environmentProxy,
    trust: files('PIP_CERT', 'REQUESTS_CA_BUNDLE', 'CURL_CA_BUNDLE', 'SSL_CERT_FILE'),
    proof: {
      args: [
        'download',
        '--no-input',
        '--no-cache-dir',
        '--disable-pip-version-check',
        '--retries=0',
        '--no-deps',
      ].concat(['--index-url=@base@/doctor/simple/@word@/', '--dest=@temporary@', '@word@==0']),
      // What the index has, which is not what was asked for: so nothing is downloaded.
      expect: 'from versions: 1.0',
    },
  },
  {
    id: 'poetry',
    commands: ['poetry'],
    version,
    proxy: environmentProxy,
    trust: files('REQUESTS_CA_BUNDLE', 'CURL_CA_BUNDLE'),
  },
  { id: 'uv', commands: ['uv'], version, proxy: environmentProxy, trust: files('SSL_CERT_FILE') },
];

const javaProxy: readonly ProxySource[] = [
  {
    kind: 'options',
    name: 'JAVA_TOOL_OPTIONS',
    pattern: /-Dhttps\.proxyHost=(\S+)[\s\S]*-Dhttps\.proxyPort=(\d+)/,
  },
];
const javaTrust: readonly TrustSource[] = [
  { kind: 'options', name: 'JAVA_TOOL_OPTIONS', pattern: /-Djavax\.net\.ssl\.trustStore=(\S+)/ },
  { kind: 'fixed', path: '/etc/ssl/certs/java/cacerts' },
];
const javaProgram = `import java.net.URI;
public class Doctor {
  public static void main(String[] arguments) throws Exception {
    URI.create("@url@").toURL().openStream().transferTo(System.out);
  }
}
`;

const machines: readonly ClientRow[] = [
  {
    id: 'java',
    commands: ['java'],
    version: ['-version'],
    proxy: javaProxy,
    trust: javaTrust,
    proof: { args: ['Doctor.java'], files: { 'Doctor.java': javaProgram }, needs: 'javac' },
  },
  { id: 'maven', commands: ['mvn'], version, proxy: javaProxy, trust: javaTrust },
  { id: 'gradle', commands: ['gradle'], version, proxy: javaProxy, trust: javaTrust },
  {
    id: 'go',
    commands: ['go'],
    version: ['version'],
    proxy: environmentProxy,
    trust: files('SSL_CERT_FILE'),
    proof: {
      args: ['list', '-m', '-versions', 'upstreamproxy.invalid/doctor'],
      env: {
        GOPROXY: '@base@/doctor/go/@word@',
        GOMODCACHE: '@temporary@/mod',
        GOFLAGS: '-mod=mod -modcacherw',
        GONOSUMDB: '*',
        GOTOOLCHAIN: 'local',
      },
      expect: 'v1.0.0',
    },
  },
  {
    id: 'cargo',
    commands: ['cargo'],
    version,
    proxy: environmentProxy,
    trust: files('CARGO_HTTP_CAINFO'),
    proof: {
      args: ['search', '@word@', '--index', 'sparse+@base@/doctor/cargo/@word@/'],
      env: { CARGO_HOME: '@temporary@', CARGO_NET_RETRY: '0' },
      expect: '@word@ = "1.0.0"',
    },
  },
  {
    id: 'ruby',
    commands: ['ruby'],
    version,
    proxy: environmentProxy,
    trust: files('SSL_CERT_FILE'),
    proof: { args: ['-rnet/http', '-e', `puts Net::HTTP.get(URI('@url@'))`] },
  },
  { id: 'gem', commands: ['gem'], version, proxy: eitherProxy, trust: files('SSL_CERT_FILE') },
  // It asks the index itself and has RubyGems bring the rest, each with settings of its own.
  {
    id: 'bundler',
    commands: ['bundle'],
    version,
    proxy: [
      { kind: 'variable', names: ['https_proxy', 'HTTPS_PROXY'], part: true },
      { kind: 'variable', names: ['http_proxy', 'HTTP_PROXY'] },
    ],
    trust: [{ kind: 'file', name: 'BUNDLE_SSL_CA_CERT', part: true }, ...files('SSL_CERT_FILE')],
    proof: {
      args: ['lock', '--verbose'],
      files: { Gemfile: "source '@status@/'\ngem '@word@'\n" },
      env: { BUNDLE_GEMFILE: '@temporary@/Gemfile', BUNDLE_USER_HOME: '@temporary@', BUNDLE_RETRY: '0' },
      expect: ["HTTP 418 I'm a Teapot @status@/versions", 'Teapot 418 (@status@/specs.'],
    },
  },
  {
    id: 'php',
    commands: ['php'],
    version,
    proxy: [
      {
        kind: 'variable',
        names: ['http_proxy'],
        only: { name: 'PHP_INI_SCAN_DIR', pattern: /php\.d/ },
        // Where connections are led anyway, the script of the session sets nothing.
        unless: { name: 'UPSTREAMPROXY_CAPTURE', pattern: /^1$/ },
      },
    ],
    trust: [
      { kind: 'configuration', name: 'PHP_INI_SCAN_DIR', pattern: /^openssl\.cafile\s*=\s*"?([^"\s]+)/m },
      ...files('SSL_CERT_FILE'),
    ],
    proof: { args: ['doctor.php'], files: { 'doctor.php': `<?php echo file_get_contents('@url@');\n` } },
  },
  {
    id: 'composer',
    commands: ['composer'],
    version: ['--version', '--no-ansi'],
    proxy: environmentProxy,
    trust: files('COMPOSER_CAFILE', 'SSL_CERT_FILE'),
  },
  {
    id: 'perl-http-tiny',
    commands: ['perl'],
    version: ['-MHTTP::Tiny', '-MIO::Socket::SSL', '-e', 'print HTTP::Tiny->VERSION'],
    library: true,
    proxy: environmentProxy,
    trust: files('SSL_CERT_FILE'),
    proof: {
      args: ['-MHTTP::Tiny', '-e', `print HTTP::Tiny->new(verify_SSL => 1)->get('@url@')->{content}`],
    },
  },
  {
    id: 'perl-lwp',
    commands: ['perl'],
    version: ['-MLWP::UserAgent', '-MLWP::Protocol::https', '-e', 'print LWP::UserAgent->VERSION'],
    library: true,
    proxy: environmentProxy,
    trust: files('PERL_LWP_SSL_CA_FILE', 'SSL_CERT_FILE'),
    proof: {
      args: ['-MLWP::UserAgent', '-e', `print LWP::UserAgent->new(env_proxy => 1)->get('@url@')->content`],
    },
  },
  {
    id: 'r',
    commands: ['Rscript'],
    version,
    proxy: environmentProxy,
    trust: files('CURL_CA_BUNDLE'),
    proof: { args: ['-e', `cat(readLines(url('@url@', method = 'libcurl')), sep = '\\n')`] },
  },
  { id: 'luarocks', commands: ['luarocks'], version, proxy: lowerCaseProxy, trust: 'unverified' },
  { id: 'mix', commands: ['mix'], version, proxy: environmentProxy, trust: files('HEX_CACERTS_PATH') },
  // It fetches by curl.
  {
    id: 'cabal',
    commands: ['cabal'],
    version,
    proxy: environmentProxy,
    trust: files('CURL_CA_BUNDLE', 'SSL_CERT_FILE'),
  },
  {
    id: 'stack',
    commands: ['stack'],
    version,
    proxy: environmentProxy,
    trust: files('SYSTEM_CERTIFICATE_PATH'),
  },
  {
    id: 'opam',
    commands: ['opam'],
    version,
    proxy: environmentProxy,
    trust: files('CURL_CA_BUNDLE', 'SSL_CERT_FILE'),
  },
  {
    id: 'emacs',
    commands: ['emacs'],
    version,
    proxy: environmentProxy,
    trust: [system],
    fix: 'system-store',
    // No proof: url.el waits for ever at times where a connection stands at once.
  },
  {
    id: 'cmake',
    commands: ['cmake'],
    version,
    proxy: environmentProxy,
    trust: files('SSL_CERT_FILE'),
    proof: {
      args: ['-P', 'program.cmake'],
      files: { 'program.cmake': 'file(DOWNLOAD @url@ @temporary@/response TLS_VERIFY ON)\n' },
      output: 'response',
    },
  },
  { id: 'racket', commands: ['racket'], version, proxy: environmentProxy, trust: 'unverified' },
  { id: 'crystal', commands: ['crystal'], version, ...noProxySetting, trust: files('SSL_CERT_FILE') },
];

export const languageClients: readonly ClientRow[] = [...javascript, ...python, ...machines];
