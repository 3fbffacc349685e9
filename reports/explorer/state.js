// What is chosen: kept in the page's address, so that every view has a link and the back button works.
"use strict";
window.gradwire = {};

gradwire.data = JSON.parse(document.getElementById("data").textContent);

/** The choices that the address names; unknown keys are left aside. */
gradwire.asked = () => Object.fromEntries(new URLSearchParams(location.hash.slice(1)));

/**
 * What is shown, of what is asked for: {view, messages} and every option of the page.
 * `changed` is the choice that was made last, which counts more than the others.
 */
gradwire.resolve = (asked, changed) => {
  const { views, choices } = gradwire.data;
  const messages = [];
  const names = choices.map((choice) => choice.name);
  for (const name of names) {
    const values = new Set(views.map((view) => view.setting[name]));
    if (asked[name] !== undefined && !values.has(asked[name])) {
      messages.push(`This run has no ${label(name)} “${asked[name]}”.`);
      delete asked[name];
    }
  }
  const agreement = (view) => names.reduce(
    (sum, name) => sum + (view.setting[name] === asked[name] ? (name === changed ? names.length : 1) : 0), 0);
  const view = views.reduce((best, one) => (agreement(one) > agreement(best) ? one : best), views[0]);
  const lacking = names.filter((name) => asked[name] !== undefined && asked[name] !== view.setting[name]);
  if (lacking.length) {
    const words = lacking.map((name) => `${label(name)} ${asked[name]}`).join(", ");
    messages.push(`The run has no cells with all of these choices; shown is ${view.name}, not ${words}.`);
  }
  const chosen = { view, messages };
  for (const option of gradwire.data.options) {
    chosen[option.name] = one(view.options[option.name], asked[option.name], option.label, messages);
  }
  return chosen;
};

function one(values, asked, what, messages) {
  if (asked === undefined || values.includes(asked)) return asked ?? values[0];
  messages.push(`These cells have no ${what} “${asked}”; shown is ${values[0]}.`);
  return values[0];
}

function label(name) {
  return gradwire.data.choices.find((choice) => choice.name === name).label;
}

/** The address of what is shown. */
gradwire.address = (chosen) => {
  const options = gradwire.data.options.map(({ name }) => [name, chosen[name]]);
  return "#" + new URLSearchParams({ ...chosen.view.setting, ...Object.fromEntries(options) });
};

/** Fill the controls with what there is, and show what is chosen. */
gradwire.show = (form, chosen) => {
  const { views, choices, options } = gradwire.data;
  for (const { name } of choices) {
    fill(form.elements[name], [...new Set(views.map((view) => view.setting[name]))], chosen.view.setting[name]);
  }
  for (const { name } of options) fill(form.elements[name], chosen.view.options[name], chosen[name]);
};

function fill(select, values, value) {
  const there = [...select.options].map((option) => option.value);
  if (there.join("\n") !== values.join("\n")) select.replaceChildren(...values.map((text) => new Option(text, text)));
  select.value = value; // what stays as it is stays open, where somebody is choosing
}
