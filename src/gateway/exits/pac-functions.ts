// The functions that a PAC script may call, as text for the interpreter: nothing of this runs here. They are those of browsers, but for
// `alert`, which does nothing. What they ask the thread for are three functions. None of them makes a regular expression of its arguments.

export const pacFunctions = `'use strict';
(function (global, resolveHost, ownAddress, minutesAhead) {
  var text = function (value) { return String(value); };
  var resolve = function (host) { return resolveHost(text(host)); };
  var quad = function (value) {
    var parts = text(value).split('.');
    if (parts.length !== 4) return undefined;
    var sum = 0;
    for (var i = 0; i < 4; i += 1) {
      if (!/^[0-9]{1,3}$/.test(parts[i]) || Number(parts[i]) > 255) return undefined;
      sum = sum * 256 + Number(parts[i]);
    }
    return sum;
  };
  var lower = function (value) { return text(value).toLowerCase(); };
  var matches = function (name, pattern) {
    var n = 0, p = 0, star = -1, from = 0;
    while (n < name.length) {
      if (p < pattern.length && pattern[p] === '*') { star = p; from = n; p += 1; }
      else if (p < pattern.length && (pattern[p] === '?' || pattern[p] === name[n])) { n += 1; p += 1; }
      else if (star >= 0) { p = star + 1; from += 1; n = from; }
      else return false;
    }
    while (pattern[p] === '*') p += 1;
    return p === pattern.length;
  };
  var days = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'];
  var months = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'];
  // The same fields of the local time of the machine, or of UTC where the last argument is 'GMT'.
  var now = function (args) {
    var list = Array.prototype.slice.call(args);
    var isGmt = list.length > 0 && text(list[list.length - 1]).toUpperCase() === 'GMT';
    if (isGmt) list.pop();
    var at = new Date(Date.now() + (isGmt ? 0 : minutesAhead() * 60000));
    var get = function (what) { return at['getUTC' + what](); };
    return { list: list, get: get };
  };
  var within = function (value, first, last) {
    return first <= last ? first <= value && value <= last : value >= first || value <= last;
  };
  var define = function (name, fn) {
    Object.defineProperty(global, name, { value: fn, writable: true, configurable: true });
  };
  define('isPlainHostName', function (host) { return text(host).indexOf('.') < 0 && text(host).indexOf(':') < 0; });
  define('dnsDomainIs', function (host, domain) { return lower(host).endsWith(lower(domain)); });
  define('localHostOrDomainIs', function (host, full) {
    return lower(host) === lower(full) || (text(host).indexOf('.') < 0 && lower(full).startsWith(lower(host) + '.'));
  });
  define('dnsDomainLevels', function (host) { return text(host).split('.').length - 1; });
  define('isResolvable', function (host) { return resolve(host) !== null; });
  define('dnsResolve', resolve);
  define('myIpAddress', function () { return ownAddress(); });
  define('isInNet', function (host, network, mask) {
    var found = quad(host);
    if (found === undefined) { var name = resolve(host); found = name === null ? undefined : quad(name); }
    var net = quad(network), bits = quad(mask);
    if (found === undefined || net === undefined || bits === undefined) return false;
    return (found & bits) === (net & bits);
  });
  define('shExpMatch', function (value, pattern) { return matches(text(value), text(pattern)); });
  define('weekdayRange', function () {
    var at = now(arguments), day = at.get('Day');
    var first = days.indexOf(text(at.list[0]).toUpperCase());
    var last = at.list.length > 1 ? days.indexOf(text(at.list[1]).toUpperCase()) : first;
    return first >= 0 && last >= 0 && within(day, first, last);
  });
  define('dateRange', function () {
    var at = now(arguments);
    var read = function (parts) {
      var found = {};
      for (var i = 0; i < parts.length; i += 1) {
        var month = months.indexOf(text(parts[i]).toUpperCase());
        if (month >= 0) found.month = month;
        else if (Number(parts[i]) > 31) found.year = Number(parts[i]);
        else found.day = Number(parts[i]);
      }
      return found;
    };
    var half = at.list.length > 1 ? at.list.length / 2 : at.list.length;
    if (half !== Math.floor(half)) return false;
    var first = read(at.list.slice(0, half)), last = read(at.list.slice(-half));
    var number = function (of) {
      return (of.year === undefined ? 0 : of.year * 10000) + (of.month === undefined ? 0 : of.month * 100) +
        (of.day === undefined ? 0 : of.day);
    };
    var today = {
      year: first.year === undefined ? undefined : at.get('FullYear'),
      month: first.month === undefined ? undefined : at.get('Month'),
      day: first.day === undefined ? undefined : at.get('Date'),
    };
    return at.list.length > 0 && within(number(today), number(first), number(last));
  });
  define('timeRange', function () {
    var at = now(arguments), list = at.list.map(Number);
    var second = at.get('Hours') * 3600 + at.get('Minutes') * 60 + at.get('Seconds');
    switch (list.length) {
      case 1: return at.get('Hours') === list[0];
      case 2: return within(second, list[0] * 3600, list[1] * 3600);
      case 4: return within(second, list[0] * 3600 + list[1] * 60, list[2] * 3600 + list[3] * 60 + 59);
      case 6: return within(second, list[0] * 3600 + list[1] * 60 + list[2], list[3] * 3600 + list[4] * 60 + list[5]);
      default: return false;
    }
  });
  define('alert', function () {});
})`;
