// Sets the colour scheme before the first paint, so that a dark page never flashes white.
// A separate file on purpose: the content security policy allows no inline script.
(() => {
  var stored = null;
  try {
    stored = localStorage.getItem('tallymark-color-scheme');
  } catch (_) {
    // Storage may be blocked; the system's preference still applies.
  }
  var dark = stored === 'dark' || (stored !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches);
  document.documentElement.setAttribute('data-mantine-color-scheme', dark ? 'dark' : 'light');
})();
