#!/bin/sh
# Installs the clients that `npm run test:clients` checks: those of Debian as root, those of npm into a folder of their own,
# which is $UPSTREAMPROXY_CLIENTS or ~/.cache/upstreamproxy-clients. Where both come from is the package managers' own matter.
# What is installed is left alone; what could not be had is printed at the end, and its checks skip.
#
#   scripts/install-clients.sh [GROUP...]     without a group all of them; --list prints the groups
set -u

# npm takes the versions that are for the Node it runs on, and the clients run on the one of this checkout.
PATH=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)/node_modules/.bin:$PATH

clients=${UPSTREAMPROXY_CLIENTS:-${HOME:?}/.cache/upstreamproxy-clients}
groups='transfer vcs python system java ruby php perl languages containers browsers services node libraries npm-tools'

debian_packages() {
  case $1 in
    transfer) echo 'curl wget wget2 aria2 axel httpie xh lynx w3m links elinks lftp busybox openssl ffmpeg yt-dlp gvfs-backends dbus-daemon libglib2.0-bin netcat-openbsd' ;;
    vcs) echo 'git git-lfs gh glab mercurial subversion darcs fossil openssh-client' ;;
    python) echo 'python3 python3-pip python3-venv python3-requests python3-httpx python3-h2 python3-aiohttp python3-urllib3 python3-httplib2
      python3-pycurl python3-websockets python3-websocket python3-boto3 python3-grpcio python3-poetry python3.11 ansible-core awscli azure-cli
      pre-commit' ;;
    system) echo 'apt dnf pacman-package-manager flatpak nix-bin' ;;
    java) echo 'default-jdk-headless maven gradle ant ivy leiningen' ;;
    ruby) echo 'ruby ruby-bundler ruby-faraday ruby-httparty' ;;
    php) echo 'php-cli php-curl composer unzip' ;;
    perl) echo 'perl libwww-perl liblwp-protocol-https-perl libio-socket-ssl-perl cpanminus make' ;;
    languages) echo 'cargo rustc golang-go lua5.1 lua-sec luarocks r-base-core tcl tcl-tls erlang elixir rebar3 ghc cabal-install
      haskell-stack opam bzip2 patch unzip emacs-nox racket mono-runtime mono-mcs crystal swiftlang cmake' ;;
    containers) echo 'kubectl skopeo podman buildah oras rclone restic s3cmd docker-cli' ;;
    browsers) echo 'chromium firefox-esr libnss3-tools' ;;
    services) echo 'openssh-client redis-tools postgresql-client rsync gnupg dirmngr' ;;
  esac
}

# Lines of FOLDER PACKAGE..., each folder with its own node_modules, so that versions do not meet.
npm_folders() {
  case $1 in
    node) cat <<'END'
node20 node@20
node22 node@22
node24 node@24
END
      ;;
    libraries) cat <<'END'
libraries axios got@14 node-fetch@3 ky superagent needle request undici@7 global-agent @aws-sdk/client-s3 openai @anthropic-ai/sdk octokit @grpc/grpc-js ws https-proxy-agent
END
      ;;
    npm-tools) cat <<'END'
pnpm10 pnpm@10
pnpm pnpm@latest
yarn-classic yarn@1
yarn-berry @yarnpkg/cli-dist
bun bun
deno deno
turbo turbo
sentry-cli @sentry/cli
buf @bufbuild/buf
wscat wscat
claude-code @anthropic-ai/claude-code
codex @openai/codex
gemini-cli @google/gemini-cli
opencode opencode-ai
qwen-code @qwen-code/qwen-code
pi @mariozechner/pi-coding-agent
copilot @github/copilot
mcp-remote mcp-remote
playwright playwright-core
puppeteer puppeteer-core
corepack corepack
node-gyp node-gyp
electron-get @electron/get
END
      ;;
  esac
}

missing=''

installed() {
  dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q ' installed$'
}

install_debian() {
  wanted=''
  for package in $(debian_packages "$1"); do
    installed "$package" || wanted="$wanted $package"
  done
  [ -n "$wanted" ] || return 0
  if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
    missing="$missing$wanted"
    return 0
  fi
  [ -n "${lists_updated:-}" ] || apt-get update -q
  lists_updated=yes
  # Together first, which is quick; one by one if a single one spoils it.
  apt_install $wanted && return 0
  for package in $wanted; do
    apt_install "$package" || missing="$missing $package"
  done
}

apt_install() {
  DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@"
}

install_npm() {
  [ -n "$(npm_folders "$1")" ] || return 0
  if ! command -v npm >/dev/null; then
    missing="$missing npm:$1"
    return 0
  fi
  # A file, since a loop behind a pipe could not say what is missing.
  list=$(mktemp)
  npm_folders "$1" >"$list"
  while read -r folder packages; do
    install_npm_folder "$folder" $packages || missing="$missing npm:$folder"
  done <"$list"
  rm -f "$list"
}

install_npm_folder() {
  target=$clients/$1
  shift
  [ "$(cat "$target/installed" 2>/dev/null)" = "$*" ] && return 0
  mkdir -p "$target"
  [ -e "$target/package.json" ] || echo '{ "private": true }' >"$target/package.json"
  (cd "$target" && npm install --no-audit --no-fund --loglevel=error "$@" </dev/null) || return 1
  ln -sfn node_modules/.bin "$target/bin"
  echo "$*" >"$target/installed"
}

[ "${1:-}" = --list ] && { echo "$groups"; exit 0; }
for group in ${*:-$groups}; do
  case " $groups " in
    *" $group "*) install_debian "$group"; install_npm "$group" ;;
    *) echo "install-clients: no group $group; there are: $groups" >&2; exit 2 ;;
  esac
done
echo "clients of npm are in $clients"
[ -z "$missing" ] || echo "could not be had:$missing"
