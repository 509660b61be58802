// Which proxy for which host: docs/reference/exits.md. It may name those of gateway-exits.yaml.
function FindProxyForURL(url, host) {
  if (dnsDomainIs(host, '.example.org')) return 'PROXY spare.example.com:3128; PROXY proxy.example.com:3128';
  return 'PROXY proxy.example.com:3128; PROXY spare.example.com:3128';
}
