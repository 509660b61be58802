// Ruby, PHP, Perl, Lua, R and Tcl: libraries and package managers.

import type { ClientCheck } from '../check.ts';

const ruby = '/usr/bin/ruby';
const rubyTrust = 'https_proxy; SSL_CERT_FILE';
const perlTrust = 'https_proxy; SSL_CERT_FILE';
const text = /^hello from web\s*$/m;

function rubyCheck(id: string, client: string, program: string, file?: string): ClientCheck {
  return {
    id,
    client,
    version: [ruby, '--version'],
    needs: file === undefined ? [ruby] : [ruby, file],
    how: rubyTrust,
    command: [ruby, '-e', program],
    expect: text,
  };
}

const rubyChecks: readonly ClientCheck[] = [
  rubyCheck('ruby-nethttp', 'Net::HTTP', `require 'net/http'; puts Net::HTTP.get(URI('@https:web@/hello'))`),
  rubyCheck('ruby-openuri', 'open-uri', `require 'open-uri'; puts URI.open('@https:web@/hello').read`),
  rubyCheck(
    'ruby-faraday',
    'Faraday',
    `require 'faraday'; puts Faraday.get('@https:web@/hello').body`,
    '/usr/share/rubygems-integration/all/gems/faraday-*',
  ),
  rubyCheck(
    'ruby-httparty',
    'HTTParty',
    `require 'httparty'; puts HTTParty.get('@https:web@/hello').body`,
    '/usr/share/rubygems-integration/all/gems/httparty-*',
  ),
  {
    id: 'gem',
    client: 'gem',
    version: ['/usr/bin/gem', '--version'],
    needs: ['/usr/bin/gem'],
    how: rubyTrust,
    command: [
      'sh',
      '-c',
      `/usr/bin/gem install --no-document --clear-sources --source @https:gems@/ --install-dir @dir@/gems example-gem &&
       GEM_PATH=@dir@/gems ${ruby} -e 'require "example_gem"; puts ExampleGem::HELLO'`,
    ],
    expect: /^hello from gems$/m,
  },
  {
    id: 'bundler',
    client: 'Bundler',
    version: ['/usr/bin/bundle', '--version'],
    needs: ['/usr/bin/bundle'],
    how: 'http_proxy and https_proxy; SSL_CERT_FILE',
    files: { Gemfile: `source '@https:gems@'\ngem 'example-gem', '1.0.0'\n` },
    env: { BUNDLE_PATH: '@dir@/bundle' },
    command: [
      'sh',
      '-c',
      `/usr/bin/bundle install && /usr/bin/bundle exec ${ruby} -e 'require "example_gem"; puts ExampleGem::HELLO'`,
    ],
    expect: /^hello from gems$/m,
  },
];

const phpChecks: readonly ClientCheck[] = [
  {
    id: 'php-curl',
    client: 'curl of PHP',
    version: ['php', '--version'],
    needs: ['php'],
    how: 'https_proxy; PHP_INI_SCAN_DIR (curl.cainfo)',
    command: [
      'php',
      '-r',
      `$c = curl_init('@https:web@/hello'); curl_setopt($c, CURLOPT_TIMEOUT, 20); if (!curl_exec($c)) { echo curl_error($c); exit(1); }`,
    ],
    expect: text,
  },
  {
    id: 'php-file_get_contents',
    client: 'streams of PHP',
    version: ['php', '--version'],
    needs: ['php'],
    how: 'PHP_INI_SCAN_DIR (auto_prepend_file and openssl.cafile)',
    // A file, for `php -r` prepends nothing.
    files: { 'program.php': `<?php echo file_get_contents('@https:web@/hello');\n` },
    command: ['php', 'program.php'],
    expect: text,
  },
  {
    id: 'php-fgc-context',
    client: 'streams of PHP with a context',
    version: ['php', '--version'],
    needs: ['php'],
    how: 'the program sets the proxy; SSL_CERT_FILE or openssl.cafile',
    files: {
      'program.php': `<?php
$proxy = getenv('https_proxy');
$http = $proxy ? ['proxy' => str_replace('http://', 'tcp://', $proxy)] : [];
echo file_get_contents('@https:web@/hello', false, stream_context_create(['http' => $http]));
`,
    },
    command: ['php', 'program.php'],
    expect: text,
  },
  {
    id: 'composer',
    client: 'Composer',
    version: ['composer', '--version'],
    needs: ['composer'],
    how: 'https_proxy; SSL_CERT_FILE or COMPOSER_CAFILE',
    files: {
      'composer.json': JSON.stringify({
        name: 'example/project',
        repositories: [{ type: 'composer', url: '@https:packagist@' }, { packagist: false }],
        require: { 'example/library': '1.0.0' },
      }),
    },
    env: { COMPOSER_ALLOW_SUPERUSER: '1', COMPOSER_HOME: '@dir@/composer' },
    command: [
      'sh',
      '-c',
      'composer install --no-interaction --no-progress && cat vendor/example/library/composer.json && ls vendor/example/library',
    ],
    expect: /Installing example\/library \(1\.0\.0\)[^]*composer\.json/,
  },
];

const perlChecks: readonly ClientCheck[] = [
  {
    id: 'perl-lwp',
    client: 'LWP::UserAgent',
    version: ['/usr/bin/perl', '-MLWP', '-e', 'print "$LWP::VERSION\\n"'],
    needs: ['/usr/bin/perl', '/usr/share/perl5/LWP/UserAgent.pm', '/usr/share/perl5/LWP/Protocol/https.pm'],
    how: 'https_proxy; SSL_CERT_FILE or PERL_LWP_SSL_CA_FILE',
    command: [
      '/usr/bin/perl',
      '-MLWP::UserAgent',
      '-e',
      `my $a = LWP::UserAgent->new(timeout => 20, env_proxy => 1)->get('@https:web@/hello'); print $a->status_line, "\\n", $a->content; exit !$a->is_success`,
    ],
    expect: text,
  },
  {
    id: 'perl-lwp-simple',
    client: 'LWP::Simple',
    version: ['/usr/bin/perl', '-MLWP', '-e', 'print "$LWP::VERSION\\n"'],
    needs: ['/usr/bin/perl', '/usr/share/perl5/LWP/Simple.pm', '/usr/share/perl5/LWP/Protocol/https.pm'],
    how: 'https_proxy; SSL_CERT_FILE or PERL_LWP_SSL_CA_FILE',
    command: ['/usr/bin/perl', '-MLWP::Simple', '-e', `print get('@https:web@/hello')`],
    expect: text,
  },
  {
    id: 'perl-http-tiny',
    client: 'HTTP::Tiny',
    version: ['/usr/bin/perl', '-e', 'print substr($^V, 1)'],
    needs: ['/usr/bin/perl', '/usr/share/perl5/IO/Socket/SSL.pm'],
    how: perlTrust,
    command: [
      '/usr/bin/perl',
      '-MHTTP::Tiny',
      '-e',
      `my $a = HTTP::Tiny->new(verify_SSL => 1)->get('@https:web@/hello'); print $a->{content}; exit !$a->{success}`,
    ],
    expect: text,
  },
  {
    id: 'cpanm',
    client: 'cpanm',
    version: ['cpanm', '--version'],
    needs: ['/usr/bin/cpanm', 'make'],
    how: perlTrust,
    env: { PERL_CPANM_HOME: '@dir@/cpanm' },
    command: [
      'sh',
      '-c',
      `/usr/bin/cpanm --notest --mirror @https:cpan@ --mirror-only --local-lib-contained @dir@/perl5 Example::Module &&
       /usr/bin/perl -I@dir@/perl5/lib/perl5 -MExample::Module -e 'print Example::Module::hello(), "\\n"'`,
    ],
    expect: /^hello from cpan$/m,
  },
];

function rCheck(
  id: string,
  client: string,
  how: string,
  program: string,
  needs: readonly string[] = [],
): ClientCheck {
  return {
    id,
    client,
    version: ['Rscript', '--version'],
    needs: ['Rscript', ...needs],
    how,
    command: ['Rscript', '--vanilla', '-e', program],
    expect: /hello from (?:web|cran)/,
    timeoutMs: 120_000,
  };
}

const otherChecks: readonly ClientCheck[] = [
  {
    id: 'lua-sec',
    client: 'LuaSec',
    version: ['lua5.1', '-v'],
    needs: ['lua5.1', '/usr/share/lua/5.1/ssl/https.lua'],
    how: 'capture; the program names the CA',
    command: [
      'lua5.1',
      '-e',
      `local https = require('ssl.https'); https.TIMEOUT = 20
       local body, code = https.request({ url = '@https:web@/hello', protocol = 'tlsv1_2', verify = 'peer', options = 'all',
         cafile = os.getenv('SSL_CERT_FILE'), sink = ltn12.sink.file(io.stdout) }); print(body, code)`,
    ],
    expect: text,
    expected: { environment: { outcome: 'fail', reason: 'ssl.https refuses proxies' } },
  },
  {
    id: 'luarocks',
    client: 'luarocks',
    version: ['luarocks', '--version'],
    needs: ['luarocks', 'lua5.1'],
    how: 'https_proxy (lower case); does not verify',
    command: [
      'sh',
      '-c',
      `luarocks --lua-version=5.1 --tree=@dir@/tree --server=@https:luarocks@ install example &&
       LUA_PATH='@dir@/tree/share/lua/5.1/?.lua' lua5.1 -e 'print(require("example").hello)'`,
    ],
    expect: /^hello from luarocks$/m,
  },
  rCheck(
    'R-libcurl',
    'download.file of R',
    'https_proxy; CURL_CA_BUNDLE',
    `download.file('@https:web@/hello', 'out', method = 'libcurl', quiet = TRUE); cat(readLines('out'), sep = '\\n')`,
  ),
  rCheck(
    'R-wget',
    'download.file of R by wget',
    'https_proxy (lower case); WGETRC',
    `download.file('@https:web@/hello', 'out', method = 'wget', quiet = TRUE); cat(readLines('out'), sep = '\\n')`,
    ['wget'],
  ),
  rCheck(
    'R-install',
    'install.packages of R',
    'https_proxy; CURL_CA_BUNDLE',
    `dir.create('lib'); install.packages('examplePackage', lib = 'lib', repos = '@https:cran@'); cat(examplePackage::hello, '\\n', sep = '')
     `.replace(
      'examplePackage::hello',
      `getExportedValue(loadNamespace('examplePackage', lib.loc = 'lib'), 'hello')`,
    ),
  ),
  {
    id: 'tcl-tls',
    client: 'http of Tcl',
    version: ['sh', '-c', 'echo "puts [info patchlevel]" | tclsh'],
    needs: ['tclsh', '/usr/lib/tcltk/*/tls*/pkgIndex.tcl'],
    how: 'capture; the program names the CA',
    files: {
      'program.tcl': `package require http
package require tls
http::register https 443 [list tls::socket -autoservername true -require true -cafile $env(SSL_CERT_FILE)]
puts [http::data [http::geturl @https:web@/hello -timeout 20000]]
`,
    },
    command: ['tclsh', 'program.tcl'],
    expect: text,
    expected: { environment: { outcome: 'fail', reason: 'reads no proxy variable' } },
  },
];

export const scriptingLanguageChecks: readonly ClientCheck[] = [
  ...rubyChecks,
  ...phpChecks,
  ...perlChecks,
  ...otherChecks,
];
